import { once } from 'node:events';
import type { Response } from 'express';
import type { FeedEvent } from './build-feed.service.js';

/** Writes a feed as server-sent events (HTML Living Standard, 9.2), no faster than the client reads. */
export async function sendEvents(
  response: Response,
  feed: AsyncGenerator<FeedEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  try {
    for await (const event of feed) if (!response.write(frameOf(event))) await once(response, 'drain', { signal });
    response.end();
  } catch (error) {
    response.destroy();
    if (!signal.aborted) throw error;
  }
}

/** The id of an event is the byte of the log that a client which comes back still needs. */
function frameOf(event: FeedEvent): string {
  switch (event.kind) {
    case 'status':
      return `event: status\ndata: ${JSON.stringify(event.state)}\n\n`;
    case 'log':
      return `id: ${event.next}\nevent: log\n${event.text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => `data: ${line}\n`)
        .join('')}\n`;
    case 'quiet':
      return ': still here\n\n';
    case 'end':
      return 'event: end\ndata: {}\n\n';
  }
}
