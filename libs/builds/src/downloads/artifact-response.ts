import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { ArtifactStore } from '#libs/artifacts';
import { AppError, requestIdOf, sendErrorBody } from '#libs/platform';
import type { BuildArtifact } from '../build.js';
import { parseRange } from './byte-range.js';

/** Answers with an artifact, whole or the part that the client asked for (RFC 9110, sections 13 and 14). */
export async function sendArtifact(
  request: Request,
  response: Response,
  artifact: BuildArtifact,
  store: ArtifactStore,
): Promise<void> {
  const { sizeBytes, sha256, mediaType, name, storeKey } = artifact;
  const etag = `"${sha256}"`;
  response.setHeader('ETag', etag);
  response.setHeader('Accept-Ranges', 'bytes');
  if (matches(request.headers['if-none-match'], etag)) return void response.status(304).end();
  const wantsPart = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const range = wantsPart && request.method === 'GET' ? parseRange(request.headers.range, sizeBytes) : undefined;
  if (range === 'unsatisfiable') return refuseRange(request, response, sizeBytes);
  // Opened first: what is gone is a 404, not a broken answer.
  const content = await store.open(storeKey, range);
  const length = range ? range.last - range.first + 1 : sizeBytes;
  response.writeHead(range ? 206 : 200, {
    'Content-Type': mediaType,
    'Content-Length': length,
    'Content-Disposition': `attachment; filename="${safeName(name)}"`,
    'X-Checksum-Sha256': sha256,
    ...(range && { 'Content-Range': `bytes ${range.first}-${range.last}/${sizeBytes}` }),
  });
  if (request.method === 'HEAD') {
    content.destroy();
    return void response.end();
  }
  // The client going away is no fault of anybody's; a broken read must end the connection, so that nobody takes half for the whole.
  await pipeline(content, response).catch(() => response.destroy());
}

function refuseRange(request: Request, response: Response, sizeBytes: number): void {
  const error = new AppError({
    kind: 'invalid',
    reason: 'range_not_satisfiable',
    message: `The file holds ${sizeBytes} bytes; the range lies outside.`,
  });
  const body = JSON.stringify({
    type: 'about:blank',
    title: 'Range not satisfiable',
    status: 416,
    detail: error.message,
    reason: error.reason,
    request_id: requestIdOf(request),
  });
  sendErrorBody(request, response, error, {
    status: 416,
    body,
    contentType: 'application/problem+json; charset=utf-8',
    headers: { 'Content-Range': `bytes */${sizeBytes}` },
  });
}

const matches = (header: string | undefined, etag: string) =>
  header !== undefined &&
  (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));

/** For a header, and for the disk of whoever downloads: no path, no quotes, no leading dot. */
export function safeName(name: string): string {
  return (
    name
      .replace(/[^\w.+~-]/g, '_')
      .replace(/^[.-]+/, '')
      .slice(0, 200) || 'artifact'
  );
}
