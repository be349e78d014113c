import { EventSourceParserStream } from 'eventsource-parser/stream';
import { asObject, parsed, type JsonObject } from './client-line.js';

const shownCharacters = 200;

/** A message of the factory, as text and read. */
export interface FactoryMessage {
  text: string;
  message: JsonObject;
}

export interface StreamPosition {
  lastEventId?: string;
  retryMs?: number;
}

/** What an HTTP answer says when it is not MCP. The sentence is for the person who configured the address. */
export class NotMcp extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/**
 * The JSON-RPC messages of an HTTP answer, plain or as events.
 * @param position is kept up to date, for whoever wants to go on where a stream broke
 * @throws NotMcp for whatever else an address may answer
 */
export async function* messagesOf(response: Response, position: StreamPosition = {}): AsyncGenerator<FactoryMessage> {
  const type = response.headers.get('content-type') ?? '';
  if (response.ok && type.startsWith('text/event-stream')) {
    yield* events(response, position);
    return;
  }
  const text = await response.text();
  if (response.ok && !text.trim()) return;
  const message = asMessage(text);
  if (!message) throw new NotMcp(whatInstead(response, type, text), response.status);
  yield message;
}

async function* events(response: Response, position: StreamPosition): AsyncGenerator<FactoryMessage> {
  if (!response.body) return;
  const stream = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(
    new EventSourceParserStream({
      onRetry: (ms: number) => {
        position.retryMs = ms;
      },
    }),
  );
  for await (const { id, event, data } of stream) {
    if (id !== undefined) position.lastEventId = id;
    if (!data) continue;
    if (event === 'endpoint')
      throw new NotMcp('It speaks the HTTP+SSE transport at this address; Streamable HTTP is wanted.', response.status);
    const message = asMessage(data);
    if (!message) throw new NotMcp(`It sent an event that is no JSON-RPC message: ${shown(data)}.`, response.status);
    yield message;
  }
}

function asMessage(text: string): FactoryMessage | undefined {
  const message = asObject(parsed(text));
  return message?.jsonrpc === '2.0' ? { text, message } : undefined;
}

function whatInstead({ status, statusText, headers }: Response, type: string, text: string): string {
  const location = headers.get('location');
  if (status >= 300 && status < 400 && location)
    return `It sends its callers on (HTTP ${status}) to ${shown(location)}.`;
  const problem = asObject(parsed(text));
  const words =
    [problem?.detail, problem?.title, problem?.message].find((value) => typeof value === 'string') ??
    (text.trim() ? `${type.split(';', 1)[0] || 'something'}: ${shown(text)}` : 'nothing');
  return `It answered HTTP ${status}${statusText && ` ${statusText}`} with ${shown(String(words))}`;
}

function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line;
}
