import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

/** @returns whether the request was its own; the answer follows */
export type RawHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Shows every request to `front` before the listener that is there (Express) gets it: that gives each request and response another prototype
 * and walks its whole chain, which costs more than many a message.
 */
export function putBefore(server: Server, front: RawHandler): void {
  const behind = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    if (!front(request, response)) for (const listener of behind) listener(request, response);
  });
}
