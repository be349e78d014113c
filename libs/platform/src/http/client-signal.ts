import type { ServerResponse } from 'node:http';
import { AppError } from '../errors/app-error.js';

/** Aborted when the client goes away before its answer is there: what was only for them need not go on. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished)
      gone.abort(new AppError({ kind: 'invalid', reason: 'connection_closed', message: 'The client went away.' }));
  });
  return gone.signal;
}
