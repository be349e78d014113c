import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { Settings } from '../config/settings.js';
import { RequestGuard } from './request-guard.js';

const settings = {
  host: '127.0.0.1',
  publicUrl: 'http://127.0.0.1:3000',
  allowedHosts: [],
  allowedOrigins: [],
} as unknown as Settings;
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
    expect(check(asked('http://localhost:3000/api/builds?limit=1', { host: 'evil.example' }))).toBe(
      '/api/builds?limit=1',
    );
    expect(check(asked('http://evil.example/api/builds', { host: 'localhost' }))).toBe('host_not_allowed');
    expect(check(asked('http://localhost/api/mcp', { host: 'localhost', 'sec-fetch-site': 'cross-site' }))).toBe(
      'foreign_page',
    );
    expect(check(asked('http://', { host: 'localhost' }))).toBe('invalid_url');
    expect(check(asked('//localhost/x', { host: 'localhost' }))).toBe('//localhost/x');
  });

  describe('over plain http, where browsers say nothing of the site of a page', () => {
    const browser = { host: '127.0.0.1:3000', 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' };
    const sse = '/api/mcp/sse';
    it.each<[string, string, Record<string, string>]>([
      ['an image', sse, { accept: 'image/avif,*/*;q=0.8', referer: 'http://evil.example/' }],
      ['a script', '/api/recipes', { accept: '*/*', referer: 'https://evil.example/page' }],
      ['a frame', '/metrics', { accept: 'text/html', referer: 'http://127.0.0.1:8080/' }],
      ['an image without a Referer', sse, { accept: 'image/avif,*/*;q=0.8' }],
      // Accept is a header that a page may set without asking (CORS-safelisted).
      ['a fetch without CORS that says what EventSource says', `${sse}/?a=b`, { accept: 'text/event-stream' }],
      ['a Referer that is none', sse, { referer: 'about:client' }],
    ])('%s of a foreign page is refused', (_what, url, headers) =>
      expect(check(asked(url, { ...browser, ...headers }))).toBe('foreign_page'),
    );

    it.each<[string, string, Record<string, string>]>([
      ['an own page', sse, { ...browser, referer: 'http://127.0.0.1:3000/console/x' }],
      ['an own page by another of its names', sse, { ...browser, referer: 'http://localhost:3000/console/x' }],
      ['a page that says its allowed origin', sse, { ...browser, origin: 'http://localhost:3000' }],
      ['a browser that says that it is an own page', sse, { ...browser, 'sec-fetch-site': 'same-origin' }],
      ['an MCP client', sse, { host: 'localhost', 'user-agent': 'node', accept: 'text/event-stream' }],
      ['curl', sse, { host: 'localhost', 'user-agent': 'curl/8.14', accept: '*/*' }],
      ['the address bar, for reading', '/api/recipes', browser],
      ['a link to a download', '/api/downloads/x', { ...browser, referer: 'https://mail.example/' }],
      ['a link to a page', '/console/x', { ...browser, referer: 'https://mail.example/' }],
    ])('%s is served', (_what, url, headers) => expect(check(asked(url, headers))).toBe(url));
  });

  it('takes one Host alone: with two, who stands in between may have read the other (RFC 9112, 3.2)', () => {
    expect(check(asked('/', {}, ['localhost', 'evil.example']))).toBe('host_twice');
    expect(check(asked('/', {}, ['localhost', 'localhost']))).toBe('host_twice');
    expect(check(asked('/', {}, []))).toBe('host_not_allowed');
    expect(check(asked('/', { host: 'localhost' }))).toBe('/');
  });
});
