import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';
import { parseJson } from '../validation/bounded-json.js';
import { BodyBudget } from './body-budget.js';
import { BodyProgress } from './body-progress.js';
import { HttpTimeouts } from './http-timeouts.js';

/** Without a length of its own a body may become as long as is taken, so it is counted as that. */
const declaredBytes = (request: IncomingMessage): number | undefined => {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
};

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || (declaredBytes(request) ?? 0) > 0;

/** Reads bodies: after everything that the headers alone decide, within what bodies may hold at once, and no slower than a slow line. */
@Injectable()
export class BodyReader {
  readonly #budget = new BodyBudget();

  constructor(private readonly timeouts: HttpTimeouts) {}

  /**
   * A whole body as UTF-8, without a byte-order mark. Nothing of it is looked at where its length alone is too much.
   * @throws AppError `body_too_large`, `body_too_slow`, `body_incomplete` if the client went away, `too_many_bodies`, `malformed_json` if it is not UTF-8
   */
  async read(request: IncomingMessage, address: string, limitBytes: number): Promise<string> {
    const declared = declaredBytes(request) ?? limitBytes;
    if (declared > limitBytes) throw bodyTooLarge(limitBytes);
    const giveBack = this.#budget.take(address, declared);
    try {
      return decode(readArrived(request) ?? (await readAll(request, limitBytes, this.timeouts)));
    } finally {
      giveBack();
    }
  }

  /** @throws AppError as `read`, `malformed_json` and `too_many_values` */
  async readJson(request: IncomingMessage, address: string, limitBytes: number): Promise<unknown> {
    const text = await this.read(request, address, limitBytes);
    if (text === '') return {};
    try {
      return parseJson(text);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw malformed('The body is not valid JSON.', 'Check it with a JSON parser.');
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes that are no text would become U+FFFD, and what they meant would be lost without a word. */
function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed('The body is not valid UTF-8, which JSON is written in.', 'Send it encoded as UTF-8.');
  }
}

const malformed = (message: string, hint: string) =>
  new AppError({ kind: 'invalid', reason: 'malformed_json', message, hint });

export function bodyTooLarge(limitBytes: number): AppError {
  return new AppError({
    kind: 'too_large',
    reason: 'body_too_large',
    message: `The body is larger than ${limitBytes} bytes.`,
    hint: 'Send less at once.',
  });
}

/** Most bodies come in one packet with the headers: then there is nothing to wait for, and nothing to watch. @returns undefined where some of it is still to come */
function readArrived(request: IncomingMessage): Buffer | undefined {
  if (request.readableLength === 0 || request.readableLength !== declaredBytes(request)) return undefined;
  const body = request.read() as Buffer;
  // To its end, so that the connection can be used again.
  request.resume();
  return body;
}

function readAll(request: IncomingMessage, limitBytes: number, timeouts: HttpTimeouts): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (action: () => void) => {
      progress.stop();
      request.off('data', onData).off('end', onEnd).off('aborted', onAborted).off('error', onAborted);
      action();
    };
    const progress = new BodyProgress((error) => settle(() => reject(error)), timeouts);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      progress.came(chunk.length);
      if (bytes > limitBytes) settle(() => reject(bodyTooLarge(limitBytes)));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onAborted = () =>
      settle(() =>
        reject(
          new AppError({
            kind: 'invalid',
            reason: 'body_incomplete',
            message: 'The connection closed before the body was complete.',
          }),
        ),
      );
    request.on('data', onData).on('end', onEnd).on('aborted', onAborted).on('error', onAborted);
  });
}
