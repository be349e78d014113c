import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError, EventBus, type Caller } from '#libs/platform';
import { BuildQueryService } from './build-query.service.js';
import { isFinal } from './build.js';
import { BuildRepository } from './build.repository.js';
import type { BuildState } from './builds.dto.js';

export type FeedEvent =
  | { kind: 'status'; state: BuildState }
  /** Whole lines; `next` is the byte of the log that follows them. */
  | { kind: 'log'; text: string; next: number }
  | { kind: 'quiet' }
  | { kind: 'end' };

const quietAfterMs = 15_000;
const mostFeedsPerCaller = 20;

/** Follows builds while they run. The row is the truth; events only say when to look again. */
@Injectable()
export class BuildFeedService {
  private readonly open = new Map<string, number>();

  constructor(
    private readonly builds: BuildRepository,
    private readonly query: BuildQueryService,
    private readonly events: EventBus,
  ) {}

  /** @throws AppError `build_not_found`, `too_many_streams`, both before the first event */
  async follow(caller: Caller, id: string, from: number, signal: AbortSignal): Promise<AsyncGenerator<FeedEvent>> {
    const build = await this.builds.get(caller.ownerId, id);
    if ((this.open.get(caller.ownerId) ?? 0) >= mostFeedsPerCaller) throw tooManyStreams();
    return this.feed(caller.ownerId, build.id, from, signal);
  }

  private async *feed(ownerId: string, id: string, from: number, signal: AbortSignal): AsyncGenerator<FeedEvent> {
    let wake = (): void => undefined;
    const look = () => wake();
    const unsubscribe = this.events.subscribe('build.changed', {
      onEvent: (changed) => changed === id && look(),
      onGap: look,
    });
    this.open.set(ownerId, (this.open.get(ownerId) ?? 0) + 1);
    try {
      let at = from;
      let shown = '';
      while (!signal.aborted) {
        const changed = new Promise<'changed'>((resolve) => (wake = () => resolve('changed')));
        const build = await this.builds.get(ownerId, id);
        const state = await this.query.stateOf(build);
        for await (const piece of this.query.logPieces(build, at))
          yield { kind: 'log', text: piece.toString('utf8'), next: (at += piece.length) };
        if (shown !== JSON.stringify(state)) yield { kind: 'status', state };
        shown = JSON.stringify(state);
        if (isFinal(build.status)) {
          yield { kind: 'end' };
          return;
        }
        const nap = new AbortController();
        const woken = await Promise.race([changed, quiet(AbortSignal.any([signal, nap.signal]))]);
        nap.abort();
        if (woken === 'quiet') yield { kind: 'quiet' };
      }
    } finally {
      unsubscribe();
      const left = (this.open.get(ownerId) ?? 1) - 1;
      if (left) this.open.set(ownerId, left);
      else this.open.delete(ownerId);
    }
  }
}

async function quiet(signal: AbortSignal): Promise<'quiet'> {
  return await sleep(quietAfterMs, 'quiet' as const, { signal, ref: false }).catch(() => 'quiet' as const);
}

function tooManyStreams(): AppError {
  return new AppError({
    kind: 'quota',
    reason: 'too_many_streams',
    message: `You follow ${mostFeedsPerCaller} builds at once, which is the most.`,
    hint: 'Close a stream, or ask for the status instead.',
  });
}
