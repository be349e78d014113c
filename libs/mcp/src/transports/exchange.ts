import type { ServerResponse } from 'node:http';
import { payloadBytes, type Payload } from '../dispatch/json-rpc.js';
import { SseStream } from './sse-stream.js';
import type { StreamKeeper } from './stream-keeper.js';

/** After this long without an answer a plain JSON response becomes a stream, so that keep-alives can flow. */
const becomesStreamAfterMs = 2_000;
const retryMs = 1_000;
const keptEvents = 256;

export interface ExchangeOptions {
  /** Names the exchange in event ids: `<key>-<number>`. */
  key: string;
  response: ServerResponse;
  accept: string | undefined;
  headers: Record<string, string>;
  /** Whether the client understands an empty first event that only carries an id (MCP 2025-11-25, Resumability). */
  primes: boolean;
  keeper: StreamKeeper;
}

/**
 * One POSTed request until it is answered. It stays a plain JSON answer if nothing else has to be said before; a progress or log message,
 * or time, turns it into an event stream. Its events are kept until the end, so that a client that was cut off can come back for them.
 */
export class Exchange {
  readonly key: string;
  private response: ServerResponse | undefined;
  private stream: SseStream | undefined;
  private readonly events: Payload[] = [];
  private firstEvent = 0;
  private done = false;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: ExchangeOptions) {
    this.key = options.key;
    this.response = options.response;
    if (this.mayStream) this.timer = setTimeout(() => this.openStream(), becomesStreamAfterMs).unref();
  }

  /** A message that belongs to the request but does not answer it. */
  write(payload: Payload): void {
    if (this.done || !this.mayStream) return;
    this.openStream();
    this.push(payload);
  }

  answer(payload: Payload): void {
    if (this.done) return;
    const plain = this.response;
    if (!this.mayAnswerPlainly && plain) this.openStream();
    if (this.response) {
      this.finish();
      this.response.writeHead(200, {
        ...this.options.headers,
        'Content-Type': 'application/json',
        'Content-Length': payloadBytes(payload),
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      });
      endWith(this.response, payload);
      return;
    }
    this.push(payload);
    this.finish();
    this.stream?.end();
  }

  /** Ends the HTTP response without an answer (cancelled, or the session is over). */
  abandon(): void {
    if (this.done) return;
    if (this.response && !this.response.headersSent)
      this.response.writeHead(200, { ...this.options.headers, 'Content-Type': 'text/event-stream' }).end();
    this.finish();
    this.stream?.end();
  }

  /** Ends the stream but not the work; the client comes back with the last event id. */
  detach(): void {
    this.openStream();
    this.stream?.end();
    this.stream = undefined;
  }

  /** Sends what came after event number `after` on a new response, and goes on there. */
  resume(response: ServerResponse, after: number): void {
    this.stream?.end();
    const stream = this.attach(response);
    this.events
      .slice(Math.max(0, after + 1 - this.firstEvent))
      .forEach((payload, index) => this.sendEvent(stream, Math.max(after + 1, this.firstEvent) + index, payload));
    if (this.done) stream.end();
  }

  private get mayStream(): boolean {
    return /text\/event-stream|\*\/\*/.test(this.options.accept ?? '*/*');
  }

  private get mayAnswerPlainly(): boolean {
    return /application\/json|application\/\*|\*\/\*/.test(this.options.accept ?? '*/*');
  }

  private openStream(): void {
    const response = this.response;
    if (!response || this.done) return;
    this.response = undefined;
    clearTimeout(this.timer);
    const stream = this.attach(response);
    if (!this.options.primes) return;
    this.events.push('');
    stream.send({ id: `${this.key}-0`, retry: retryMs, data: '' });
  }

  private attach(response: ServerResponse): SseStream {
    const { keeper, headers } = this.options;
    const stream = new SseStream(response, headers);
    keeper.add(stream);
    stream.onClose = () => keeper.remove(stream);
    this.stream = stream;
    return stream;
  }

  private push(payload: Payload): void {
    this.events.push(payload);
    if (this.events.length > keptEvents) {
      this.events.shift();
      this.firstEvent++;
    }
    if (this.stream) this.sendEvent(this.stream, this.firstEvent + this.events.length - 1, payload);
  }

  private sendEvent(stream: SseStream, number: number, payload: Payload): void {
    if (payload === '') return;
    stream.send({ event: 'message', ...(this.options.primes && { id: `${this.key}-${number}` }), data: payload });
  }

  private finish(): void {
    this.done = true;
    clearTimeout(this.timer);
  }
}

/** Node holds what is written in one turn together, so that it is one write for the kernel. */
function endWith(response: ServerResponse, payload: Payload): void {
  if (typeof payload === 'string') {
    response.end(payload);
    return;
  }
  for (const piece of payload) response.write(piece);
  response.end();
}
