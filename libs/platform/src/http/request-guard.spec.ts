import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { Settings } from '../config/settings.js';
import { RequestGuard } from './request-guard.js';

const settings = { host: '127.0.0.1', publicUrl: 'http://127.0.0.1:3000', allowedHosts: [], allowedOrigins: [] } as unknown as Settings;
const asked = (url: string, headers: Record<string, string>, hosts = headers.host ? [headers.host] : []) =>
  ({ url, method: 'GET', headers, rawHeaders: hosts.flatMap((host) => ['Host', host]) }) as unknown as IncomingMessage;
const check = (request: IncomingMessage): unknown => {
  try {
    new RequestGuard(settings).check(request);
    return request.url;
  } catch (error) {
    return (error as { reason: string }).reason;
  }
};

describe('RequestGuard', () => {
  it('takes the host of an address that is said whole, and nothing of the Host header then (RFC 9112, 3.2.2)', () => {
    expect(check(asked('http://localhost:3000/api/builds?limit=1', { host: 'evil.example' }))).toBe('/api/builds?limit=1');
    expect(check(asked('http://evil.example/api/builds', { host: 'localhost' }))).toBe('host_not_allowed');
    expect(check(asked('http://localhost/api/mcp', { host: 'localhost', 'sec-fetch-site': 'cross-site' }))).toBe('foreign_page');
    expect(check(asked('http://', { host: 'localhost' }))).toBe('invalid_url');
    expect(check(asked('//localhost/x', { host: 'localhost' }))).toBe('//localhost/x');
  });

  it('takes one Host alone: with two, who stands in between may have read the other (RFC 9112, 3.2)', () => {
    expect(check(asked('/', {}, ['localhost', 'evil.example']))).toBe('host_twice');
    expect(check(asked('/', {}, ['localhost', 'localhost']))).toBe('host_twice');
    expect(check(asked('/', {}, []))).toBe('host_not_allowed');
    expect(check(asked('/', { host: 'localhost' }))).toBe('/');
  });
});
