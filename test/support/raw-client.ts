import http, { type IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RawResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  json(): any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look into it freely
}

export interface RawRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Instead of the URL's, and not normalised. */
  path?: string;
  /** Loopback address to come from; another one is another anonymous caller. */
  from?: string;
}

/** One HTTP request on a connection of its own, with nothing added that the test did not say. */
export function send(
  url: string,
  { method = 'GET', headers = {}, body, path, from }: RawRequest = {},
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      {
        method,
        ...(path !== undefined && { path }),
        headers: { ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }), ...headers },
        localAddress: from,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text,
            json: () => JSON.parse(text),
          });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

export const postJson = (url: string, value: unknown, more: RawRequest = {}) =>
  send(url, {
    method: 'POST',
    body: typeof value === 'string' ? value : JSON.stringify(value),
    ...more,
    headers: { 'content-type': 'application/json', ...more.headers },
  });

/** A response that flows, and what came of it so far. */
export class RawStream {
  text = '';
  closed = false;

  private constructor(
    private readonly request: http.ClientRequest,
    response: http.IncomingMessage,
  ) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (this.text += chunk));
    response.on('error', () => undefined);
    response.on('close', () => (this.closed = true));
  }

  /** As soon as the status is there. */
  static open(url: string, { method = 'GET', headers = {}, body, from }: RawRequest = {}): Promise<RawStream> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        url,
        {
          method,
          headers: { ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }), ...headers },
          localAddress: from,
          agent: false,
        },
        (response) => {
          if (response.statusCode === 200) return resolve(new RawStream(request, response));
          response.resume();
          reject(new Error(`${method} ${url} answered ${response.statusCode}`));
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.request.destroy();
  }
}

type Message = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON of the other side

/** A raw HTTP+SSE client that hides nothing: every event in order, every POST with its HTTP status. */
export class RawSseClient {
  readonly events: { event: string; data: string; retry?: string }[] = [];
  readonly messages: Message[] = [];
  comments = 0;
  closed = false;
  private nextId = 1;

  private constructor(
    private readonly base: string,
    private readonly request: http.ClientRequest,
    readonly response: http.IncomingMessage,
    private readonly options: RawRequest,
  ) {
    let buffer = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      buffer += chunk;
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        this.take(buffer.slice(0, end).split('\n'));
        buffer = buffer.slice(end + 2);
      }
    });
    response.on('error', () => undefined);
    response.on('close', () => (this.closed = true));
  }

  static open(url: string, options: RawRequest & { path?: string; reads?: boolean } = {}): Promise<RawSseClient> {
    return new Promise((resolve, reject) => {
      const request = http.get(
        `${url}${options.path ?? '/api/mcp/sse'}`,
        { headers: { accept: 'text/event-stream', ...options.headers }, localAddress: options.from, agent: false },
        (response) => {
          if (response.statusCode !== 200) {
            response.resume();
            reject(new Error(`SSE answered ${response.statusCode}`));
            return;
          }
          const client = new RawSseClient(url, request, response, options);
          void client
            .until(() => client.events.length > 0)
            .then(() => {
              if (options.reads === false) response.pause();
              resolve(client);
            }, reject);
        },
      );
      request.on('error', reject);
    });
  }

  get endpoint(): string {
    return new URL(this.events[0]?.data ?? '', this.base).href;
  }

  post(message: unknown, more: RawRequest = {}): Promise<RawResponse> {
    return postJson(this.endpoint, message, { from: this.options.from, ...more });
  }

  /** Sends a request and waits for its answer on the stream. */
  async call(method: string, params?: unknown, id: string | number = this.nextId++): Promise<Message> {
    const { status, body } = await this.post({ jsonrpc: '2.0', id, method, ...(params !== undefined && { params }) });
    if (status !== 202) throw new Error(`POST answered ${status}: ${body}`);
    await this.until(() => this.messages.some((message) => message.id === id && !message.method));
    return this.messages.find((message) => message.id === id && !message.method);
  }

  async until(condition: () => boolean, withinMs = 10_000): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error('What was waited for did not come.');
      await sleep(5);
    }
  }

  close(): void {
    this.request.destroy();
  }

  private take(lines: string[]): void {
    const value = (name: string) =>
      lines
        .find((line) => line.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trimStart();
    const data = value('data');
    if (data === undefined) {
      this.comments += lines.filter((line) => line.startsWith(':')).length;
      return;
    }
    const event = value('event') ?? 'message';
    this.events.push({ event, data, retry: value('retry') });
    if (event === 'message') this.messages.push(JSON.parse(data));
  }
}
