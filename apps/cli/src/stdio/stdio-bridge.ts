import { createInterface } from 'node:readline';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { errorMessage } from '#libs/platform';

export interface StdioBridgeOptions {
  /** The Streamable HTTP endpoint of the factory. */
  endpoint: string;
  headers: Record<string, string>;
  input: NodeJS.ReadableStream;
  /** Takes one message without its newline. */
  write: (line: string) => void;
}

interface Frame {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
}

/**
 * MCP over stdio (2025-11-25, Transports, stdio: one JSON message a line) for clients that start a program. Every line is sent to the
 * factory as it came, and what the factory answers is written as it came, so that stdio tells the same story as HTTP. A session that the
 * factory no longer knows (it was restarted) is opened again without the client noticing.
 */
export class StdioBridge {
  private sessionId: string | undefined;
  private protocolVersion: string | undefined;
  private initializeLine: string | undefined;
  private reopening: Promise<void> | undefined;
  private readonly stop = new AbortController();

  constructor(private readonly options: StdioBridgeOptions) {}

  /** Until the input ends; then waits for what is still running. */
  async run(): Promise<void> {
    const running = new Set<Promise<void>>();
    for await (const line of createInterface({ input: this.options.input, crlfDelay: Infinity })) {
      if (!line.trim()) continue;
      const frame = readFrame(line);
      const work = this.forward(line, frame).finally(() => running.delete(work));
      running.add(work);
      // What follows initialize needs the session it opens.
      if (frame.method === 'initialize') await work;
    }
    await Promise.race([Promise.allSettled(running), new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
    await this.close();
  }

  async close(): Promise<void> {
    if (this.sessionId) await this.fetch({ method: 'DELETE' }).catch(() => undefined);
    this.sessionId = undefined;
    this.stop.abort();
  }

  private async forward(line: string, frame: Frame): Promise<void> {
    try {
      if (frame.method === 'initialize') {
        this.initializeLine = line;
        this.sessionId = undefined;
        this.protocolVersion = undefined;
      }
      let response = await this.fetch({ method: 'POST', body: line });
      if (response.status === 404 && this.initializeLine && frame.method !== 'initialize') {
        await response.body?.cancel();
        await this.reopen();
        response = await this.fetch({ method: 'POST', body: line });
      }
      await this.deliver(response, frame);
      if (frame.method === 'initialize' && this.sessionId) void this.listen(this.sessionId);
    } catch (error) {
      if (!this.stop.signal.aborted) this.answerError(frame, `The factory at ${this.options.endpoint} cannot be reached (${causeOf(error)}). Start it with "npm run up", or set OPENFACTORY_URL.`);
    }
  }

  private async fetch(init: { method: string; body?: string; accept?: string }): Promise<Response> {
    const response = await fetch(this.options.endpoint, {
      method: init.method,
      signal: this.stop.signal,
      headers: {
        ...this.options.headers,
        accept: init.accept ?? 'application/json, text/event-stream',
        ...(init.body !== undefined && { 'content-type': 'application/json' }),
        ...(this.sessionId && { 'mcp-session-id': this.sessionId }),
        ...(this.protocolVersion && { 'mcp-protocol-version': this.protocolVersion }),
      },
      ...(init.body !== undefined && { body: init.body }),
    });
    this.sessionId ??= response.ok ? (response.headers.get('mcp-session-id') ?? undefined) : undefined;
    return response;
  }

  private async deliver(response: Response, frame: Frame): Promise<void> {
    if (response.status === 202) return;
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) return await this.pipeEvents(response, (line) => this.emit(line));
    const text = await response.text();
    if (!text) return;
    // A refusal of the HTTP edge has no id; the client waits for the one it sent.
    const body = JSON.parse(text) as { id?: unknown; error?: object };
    if (body.id === null && frame.id !== undefined) this.emit(JSON.stringify({ jsonrpc: '2.0', id: frame.id, error: body.error }));
    else this.emit(text);
  }

  private emit(line: string): void {
    this.protocolVersion ??= /"protocolVersion":"([\d-]+)"/.exec(line)?.[1];
    this.options.write(line);
  }

  private async pipeEvents(response: Response, take: (line: string) => void): Promise<void> {
    const events = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { data } of events ?? []) if (data) take(data);
  }

  /** Messages that answer no request (list changes, resource updates) come on a stream of their own; it is opened again when it ends. */
  private async listen(sessionId: string): Promise<void> {
    while (!this.stop.signal.aborted && this.sessionId === sessionId) {
      try {
        const response = await this.fetch({ method: 'GET', accept: 'text/event-stream' });
        if (!response.ok) return await response.body?.cancel();
        await this.pipeEvents(response, (line) => this.options.write(line));
      } catch {
        // The factory is away; the next try, or the next request, finds out whether it is back.
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000).unref());
    }
  }

  /** Repeats the client's own initialize, swallowing the answer it has had already. One at a time, whoever noticed the loss first. */
  private async reopen(): Promise<void> {
    this.reopening ??= (async () => {
      this.sessionId = undefined;
      this.protocolVersion = undefined;
      const response = await this.fetch({ method: 'POST', body: this.initializeLine });
      this.protocolVersion = /"protocolVersion":"([\d-]+)"/.exec(await response.text())?.[1];
      const ready = await this.fetch({ method: 'POST', body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' });
      await ready.body?.cancel();
      if (this.sessionId) void this.listen(this.sessionId);
    })().finally(() => (this.reopening = undefined));
    await this.reopening;
  }

  private answerError({ id, method }: Frame, message: string): void {
    if (id !== undefined && method !== undefined) this.options.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message } }));
  }
}

function readFrame(line: string): Frame {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value) : {};
  } catch {
    return {}; // The factory says what is wrong with it.
  }
}

function causeOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string } }).cause;
  return cause?.code ?? errorMessage(error);
}
