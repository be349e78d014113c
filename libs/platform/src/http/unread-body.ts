import type { IncomingMessage, ServerResponse } from 'node:http';
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
  if (message) throw new AppError({ kind: 'unsupported_media_type', reason: 'unsupported_media_type', message, hint: 'Send it uncompressed, as UTF-8, with "Content-Type: application/json".' });
}

const drainBytes = 8 * 1024 * 1024;
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
