import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyBudget } from './body-budget.js';
import { AppError, clip } from '../errors/app-error.js';

const charsetOf = (type: string) => /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1];

/** @throws AppError `unsupported_media_type` unless the body is uncompressed JSON, in UTF-8 by what it says itself */
export function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type'] ?? '';
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const charset = charsetOf(type) ?? 'utf-8';
  const message =
    (encoding !== 'identity' && 'The body must not be compressed.') ||
    (!/^application\/json\s*(;|$)/i.test(type) && 'The body must be JSON.') ||
    (!/^(utf-?8|us-ascii)$/i.test(charset) && `The body must be UTF-8, not ${clip(charset)}.`);
  if (message)
    throw new AppError({
      kind: 'unsupported_media_type',
      reason: 'unsupported_media_type',
      message,
      hint: 'Send it uncompressed, as UTF-8, with "Content-Type: application/json".',
    });
}

/** What is read of bodies that nobody wants: of each, and of all at once (by what they say they will be, and by their number). */
export const drainLimits = {
  bytes: 8 * 1024 * 1024,
  ms: 5_000,
  processBytes: 512 * 1024 * 1024,
  addressBytes: 16 * 1024 * 1024,
  addressBodies: 32,
};
const drains = new BodyBudget(drainLimits);

/**
 * Reads the rest of a body and throws it away for a while: closing with unread data makes TCP reset the connection, and the client would lose the answer that
 * explains why. An address that has many such bodies on their way loses it. @param onEnd told once whether all of it came
 */
function drain(request: IncomingMessage, onEnd: (isWhole: boolean) => void): void {
  const giveBack = roomFor(request);
  if (!giveBack) return onEnd(false);
  let bytes = 0;
  const settle = (isWhole: boolean) => {
    clearTimeout(timer);
    request.off('data', count).off('end', ended).off('close', closed);
    giveBack();
    onEnd(isWhole);
  };
  const count = (chunk: Buffer) => void ((bytes += chunk.length) > drainLimits.bytes && settle(false));
  const ended = () => settle(true);
  const closed = () => settle(false);
  const timer = setTimeout(closed, drainLimits.ms).unref();
  request.on('data', count).once('end', ended).once('close', closed);
  request.resume();
}

function roomFor({ headers, socket }: IncomingMessage): (() => void) | undefined {
  const declared = Number(headers['content-length'] ?? drainLimits.bytes);
  try {
    return drains.take(socket.remoteAddress ?? '', Math.min(declared, drainLimits.bytes));
  } catch {
    return undefined;
  }
}

/** Answers and gives up the connection, for a request whose body was not read to its end. */
export function answerAndClose(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  if (request.complete || request.readableEnded) {
    response.end(body);
    return;
  }
  response.write(body);
  drain(request, () => response.end());
}

/** For a request that is answered without its body: the connection can be used again once that has come, and is given up where it does not. */
export function dropBody(request: IncomingMessage): void {
  if (!request.complete) drain(request, (isWhole) => isWhole || request.socket.destroySoon());
}
