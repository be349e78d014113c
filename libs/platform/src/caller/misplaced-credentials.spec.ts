import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { misplacedCredentials } from './misplaced-credentials.js';

const look = (headers: Record<string, string>, url = '/api/builds') =>
  misplacedCredentials({ headers, url } as unknown as IncomingMessage);

describe('misplacedCredentials', () => {
  it.each<[Record<string, string>, string | undefined, string]>([
    [{ 'x-api-key': 'secret' }, undefined, 'in the header "x-api-key"'],
    [{}, '/api/builds?limit=1&token=secret', 'in the address, as "token"'],
    [{}, '/api/builds?%74oken=secret', 'in the address, as "token"'],
    [{ authorization: 'Basic secret' }, undefined, 'by the scheme "Basic"'],
  ])('says where it was: %j %s', (headers, url, where) => {
    const refusal = look(headers, url);
    expect(refusal).toMatchObject({
      kind: 'unauthenticated',
      reason: 'misplaced_credentials',
      message: expect.stringContaining(where),
      hint: expect.stringContaining('Authorization: Bearer'),
    });
    expect(JSON.stringify(refusal)).not.toContain('secret');
  });

  it.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [{}, '/api/recipes?search=token'],
    [{ authorization: 'Bearer of_mcp_x', 'x-api-key': 'of a gateway before us' }, undefined],
    [{ authorization: '' }, undefined],
  ])('leaves alone what is in its place: %j %s', (headers, url) => expect(look(headers, url)).toBeUndefined());
});
