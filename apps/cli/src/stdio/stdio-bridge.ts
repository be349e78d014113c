import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#libs/platform';
import { isAnswer, readClientLine, type ClientLine, type JsonObject, type MessageId } from './client-line.js';
import { FactorySession } from './factory-session.js';
import { messagesOf, NotMcp, type FactoryMessage, type StreamPosition } from './factory-answer.js';
import { messageLines, oneLine } from './message-lines.js';

const refused = -32000;
const invalidRequest = -32600;
/** As often is a stream that broke taken up again for one answer. */
const mostResumptions = 5;
const finishWithinMs = 5_000;

export interface StdioBridgeOptions {
  /** The Streamable HTTP endpoint of the factory. */
  endpoint: string;
  /** Why nothing can be sent there: the answer to every request. */
  fault?: string | undefined;
  headers: Record<string, string>;
  input: AsyncIterable<Buffer | string>;
  /** Takes one message without its newline. */
  write: (line: string) => void;
  /** Takes what no message can tell. */
  note: (text: string) => void;
}

class Misconfigured extends Error {}

/** A request of the client that waits for its one answer. */
interface Asked {
  open: Set<MessageId>;
  line: ClientLine;
}

/**
 * MCP over stdio for clients that start a program. Every line is sent to the factory as it came, and what the factory answers is written as
 * it came, so that stdio tells the same story as HTTP; whatever else the address answers becomes an error for the id that asked. Each request
 * has exactly one answer.
 */
export class StdioBridge {
  private readonly session: FactorySession;
  private readonly asked = new Set<Asked>();
  private readonly stop = new AbortController();

  constructor(private readonly options: StdioBridgeOptions) {
    const { endpoint, headers } = options;
    this.session = new FactorySession({
      endpoint,
      headers,
      signal: this.stop.signal,
      heard: (message) => this.emit(message),
      note: options.note,
    });
  }

  /** Until the input ends; then waits a little for what is still running. */
  async run(): Promise<void> {
    const running = new Set<Promise<void>>();
    for await (const text of messageLines(this.options.input)) {
      if (text === null) this.writeError(null, invalidRequest, 'The line is too long to be read.');
      if (!text?.trim()) continue;
      const line = readClientLine(text);
      const work = this.forward(line).finally(() => running.delete(work));
      running.add(work);
      // What follows initialize needs the session it opens.
      if (line.isInitialize) await work;
    }
    await Promise.race([Promise.allSettled(running), sleep(finishWithinMs, undefined, { ref: false })]);
    await this.close();
  }

  async close(): Promise<void> {
    if (this.stop.signal.aborted) return;
    await this.session.end();
    this.stop.abort();
    for (const asked of this.asked) this.fail(asked, 'The bridge was ended before the answer was there.');
  }

  private async forward(line: ClientLine): Promise<void> {
    const asked: Asked = { line, open: new Set(line.ids) };
    this.asked.add(asked);
    if (line.cancels !== undefined) this.forget(line.cancels);
    try {
      if (this.options.fault) throw new Misconfigured(this.options.fault);
      const position: StreamPosition = {};
      await this.take(await this.session.post(line), asked, position).catch((error: unknown) =>
        this.unlessResumable(error, asked, position),
      );
      await this.resume(asked, position);
      if (asked.open.size) this.fail(asked, `What answers at ${this.options.endpoint} said nothing to this request.`);
    } catch (error) {
      this.fail(asked, this.inWords(error), line.isUnreadable);
    } finally {
      this.asked.delete(asked);
    }
  }

  /** Writes what answers this line; what the factory says meanwhile, too. */
  private async take(response: Response, asked: Asked, position: StreamPosition): Promise<void> {
    for await (const message of messagesOf(response, position)) {
      const { id, error } = message.message;
      if ('method' in message.message) this.emit(message);
      else if (asked.open.delete(id as MessageId)) this.answer(asked.line, message);
      // A refusal of the HTTP edge has no id; the client waits for those it sent.
      else if (id === null && error) this.refuse(asked, error as JsonObject, response.status);
    }
  }

  private answer(line: ClientLine, message: FactoryMessage): void {
    if (line.isInitialize) this.session.opened(message.message);
    this.emit(message);
  }

  private refuse(asked: Asked, error: JsonObject, status: number): void {
    const ids: (MessageId | null)[] = asked.line.isUnreadable ? [null] : [...asked.open];
    asked.open.clear();
    for (const id of ids) this.options.write(oneLine(JSON.stringify({ jsonrpc: '2.0', id, error })));
    if (!ids.length)
      this.options.note(`The factory refused a message that has no answer (HTTP ${status}): ${String(error.message)}`);
  }

  /** A stream that broke, or that the factory closed for now, goes on after its last event (MCP 2025-11-25, Resumability). */
  private async resume(asked: Asked, position: StreamPosition): Promise<void> {
    for (let times = 0; times < mostResumptions && asked.open.size && position.lastEventId !== undefined; times++) {
      await sleep(position.retryMs ?? 1_000, undefined, { signal: this.stop.signal });
      await this.take(await this.session.resume(position.lastEventId), asked, position).catch((error: unknown) =>
        this.unlessResumable(error, asked, position),
      );
    }
  }

  private unlessResumable(error: unknown, asked: Asked, position: StreamPosition): void {
    if (error instanceof NotMcp || !asked.open.size || position.lastEventId === undefined || this.stop.signal.aborted)
      throw error;
  }

  private fail(asked: Asked, words: string, isUnreadable = false): void {
    const ids: (MessageId | null)[] = isUnreadable ? [null] : [...asked.open];
    asked.open.clear();
    for (const id of ids) this.writeError(id, refused, words);
    if (!asked.line.ids.length && !isUnreadable && !this.stop.signal.aborted) this.options.note(words);
  }

  /** The protocol sends no answer to a cancelled request. */
  private forget(id: MessageId): void {
    for (const { open } of this.asked) open.delete(id);
  }

  private inWords(error: unknown): string {
    const { endpoint } = this.options;
    if (error instanceof Misconfigured) return error.message;
    if (error instanceof NotMcp && error.status >= 500)
      return `No factory can be reached at ${endpoint}. ${error.message} Is it running?`;
    if (error instanceof NotMcp)
      return `What answers at ${endpoint} is not the MCP endpoint of a factory. ${error.message} OPENFACTORY_URL must be the address of the factory itself, such as http://127.0.0.1:3000.`;
    return `The factory at ${endpoint} cannot be reached (${causeOf(error)}). Start it with "npm run up", or set OPENFACTORY_URL.`;
  }

  private emit({ text, message }: FactoryMessage): void {
    if ('method' in message || isAnswer(message)) this.options.write(oneLine(text));
  }

  private writeError(id: MessageId | null, code: number, message: string): void {
    this.options.write(oneLine(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })));
  }
}

function causeOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  return cause?.code ?? cause?.message ?? errorMessage(error);
}
