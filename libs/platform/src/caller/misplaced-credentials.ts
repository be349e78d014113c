import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors/app-error.js';
import { sentHeader } from '../http/sent-header.js';

/** Where other products take keys. Node's names of headers are in lower case. */
const headers = new Set([
  'x-api-key',
  'api-key',
  'apikey',
  'x-apikey',
  'x-auth-token',
  'x-access-token',
  'x-token',
  'x-mcp-key',
  'x-mcp-api-key',
  'x-openfactory-key',
  'x-openfactory-api-key',
]);
const parameters = ['token', 'access_token', 'auth_token', 'api_key', 'apikey', 'api-key', 'key'];
/** Whether a query may hold one of them at all; it may be percent-encoded. */
const suspicious = new RegExp(`%|${parameters.join('|')}`);

const hint =
  'Send it as "Authorization: Bearer …" and nowhere else: an address ends up in logs and histories. Clients that set no headers can use bin/openfactory mcp with OPENFACTORY_API_KEY.';

/**
 * Whoever sent a key, but where nobody looks, must not find out by their work being somebody else's that they are taken for anonymous.
 * It is not looked at here either: what is tried at a place like that must be told neither right nor wrong.
 */
export function misplacedCredentials(request: IncomingMessage): AppError | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const scheme = /^(basic|digest|token|apikey)\b/i.exec(authorization)?.[0];
    return scheme === undefined ? undefined : misplaced(`by the scheme "${scheme}"`);
  }
  const header = sentHeader(request, headers);
  if (header) return misplaced(`in the header "${header}"`);
  const query = request.url?.split('?', 2)[1];
  if (!query || !suspicious.test(query)) return undefined;
  const given = new URLSearchParams(query);
  const parameter = parameters.find((name) => given.has(name));
  return parameter === undefined ? undefined : misplaced(`in the address, as "${parameter}"`);
}

function misplaced(where: string): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'misplaced_credentials',
    message: `A key was sent ${where}, where keys are not taken.`,
    hint,
  });
}
