import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Metrics } from '#libs/platform';
import type { SseStream } from './sse-stream.js';

const everyMs = 15_000;

/** The one timer that keeps all open streams alive and looks for dead ones, whatever their number. */
@Injectable()
export class StreamKeeper implements OnApplicationShutdown {
  private readonly streams = new Set<SseStream>();
  private readonly chores = new Set<(now: number) => void>();
  private readonly timer = setInterval(() => this.tick(Date.now()), everyMs).unref();

  private readonly dropped;

  constructor(metrics: Metrics) {
    metrics.gauge('openfactory_mcp_streams', 'Open MCP event streams', () => this.streams.size);
    this.dropped = metrics.counter(
      'openfactory_mcp_slow_streams_total',
      'Event streams given up because their client did not read them',
    );
  }

  add(stream: SseStream): void {
    stream.onTooSlow = () => this.dropped.inc();
    this.streams.add(stream);
  }

  remove(stream: SseStream): void {
    this.streams.delete(stream);
  }

  /** Work that rides on the same timer, such as ending idle sessions. */
  onTick(chore: (now: number) => void): void {
    this.chores.add(chore);
  }

  get size(): number {
    return this.streams.size;
  }

  tick(now: number): void {
    for (const stream of this.streams) {
      if (stream.open) stream.keepAlive(now);
      else this.streams.delete(stream);
    }
    for (const chore of this.chores) chore(now);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }
}
