import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors/app-error.js';

/** @throws AppError `unsupported_media_type` unless the body is uncompressed JSON */
export function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type'] ?? '';
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (/^application\/json\s*(;|$)/i.test(type) && encoding === 'identity') return;
  throw new AppError({
    kind: 'unsupported_media_type',
    reason: 'unsupported_media_type',
    message: encoding === 'identity' ? 'The body must be JSON.' : 'The body must not be compressed.',
    hint: 'Send it uncompressed with "Content-Type: application/json".',
  });
}

export function bodyTooLarge(limitBytes: number): AppError {
  return new AppError({ kind: 'too_large', reason: 'body_too_large', message: `The body is larger than ${limitBytes} bytes.`, hint: 'Send less at once.' });
}

/** Reads a whole body as UTF-8. @throws AppError `body_too_large`, or `body_incomplete` if the client went away */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<string> {
  const tooLarge = () => bodyTooLarge(limitBytes);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (action: () => void) => {
      request.off('data', onData).off('end', onEnd).off('aborted', onAborted).off('error', onAborted);
      action();
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) settle(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]!.toString('utf8') : Buffer.concat(chunks).toString('utf8')));
    const onAborted = () =>
      settle(() => reject(new AppError({ kind: 'invalid', reason: 'body_incomplete', message: 'The connection closed before the body was complete.' })));
    request.on('data', onData).on('end', onEnd).on('aborted', onAborted).on('error', onAborted);
  });
}

const drainBytes = 64 * 1024 * 1024;
const drainMs = 5_000;

/**
 * Answers and gives up the connection, for a request whose body was not read to its end. The rest is read and thrown away for a while
 * first: closing with unread data makes TCP reset the connection, and the client would lose the answer that explains why.
 */
export function answerAndClose(request: IncomingMessage, response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  if (request.complete || request.readableEnded) {
    response.end(body);
    return;
  }
  response.write(body);
  let bytes = 0;
  const finish = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(finish, drainMs).unref();
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > drainBytes) finish();
  });
  request.once('end', finish).once('close', finish);
  request.resume();
}
