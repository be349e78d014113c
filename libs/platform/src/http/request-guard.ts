import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, clip, invalid } from '../errors/app-error.js';
import type { Settings } from '../config/settings.js';

/** Headers that web pages of an allowed origin may send and read (the MCP ones: Streamable HTTP, 2025-11-25 and 2026-07-28). */
const corsRequestHeaders =
  'Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id, X-MCP-Readonly, X-MCP-Toolsets, X-Request-Id, X-Requested-With';
const corsExposedHeaders =
  'Content-Disposition, Content-Range, ETag, Location, Mcp-Session-Id, Retry-After, WWW-Authenticate, X-Checksum-Sha256, X-Log-Next, X-Request-Id';

/** Any port, in upper and lower case: their number must have a bound. */
const mostSpellings = 1_000;

/** What only programs and the factory's own pages ask for. */
const programsPaths = /^\/+(api|metrics)(\/|$)/i;
/** Where no page ever is, whatever pages there will be. */
export const isForPrograms = (pathname: string): boolean =>
  programsPaths.test(pathname) || /^\/+(assets|\.well-known)(\/|$)/i.test(pathname);
/** A person may follow a link to these from a mail or any page: the token of a download is its permission, the description is public. */
const linkedPaths = /^\/+api\/(downloads\/[^/]+|docs)\/?$/i;

/** Opens a session by being asked for. */
const sessionPaths = /^\/+api\/mcp\/sse\/?$/i;

/**
 * The Host allow-list and the Origin check, before anything else looks at a request: they keep a web page of a stranger from reaching
 * a factory on somebody's own machine (DNS rebinding, cross-site requests; MCP Streamable HTTP, Security Warning).
 */
export class RequestGuard {
  private readonly settings: Settings;
  private hosts: Set<string> | undefined;
  private origins: Set<string> | undefined;
  /** Spellings of the Host header, with ports, that were found to be allowed. */
  private readonly allowedSpellings = new Set<string>();

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** @throws AppError `host_not_allowed`, `origin_not_allowed` or `foreign_page`, all 403; `host_twice`, `invalid_url` */
  check(request: IncomingMessage): void {
    const host = hostOf(request);
    const { origin } = request.headers;
    if (!host || !this.isAllowedHost(host)) {
      throw new AppError({
        kind: 'forbidden',
        reason: 'host_not_allowed',
        message: `The Host "${clip(host ?? '')}" is not one this factory answers to.`,
        hint: 'Use its public URL, or add the name to OPENFACTORY_ALLOWED_HOSTS.',
      });
    }
    if (origin !== undefined && !this.isAllowedOrigin(origin)) {
      throw new AppError({
        kind: 'forbidden',
        reason: 'origin_not_allowed',
        message: `Pages of the origin "${clip(origin)}" may not call this factory.`,
        hint: 'Add the origin to OPENFACTORY_ALLOWED_ORIGINS.',
      });
    }
    if (origin === undefined) this.refuseForeignPage(request);
  }

  /** Images, frames and links of a page carry no Origin, but browsers say where the page is from. */
  private refuseForeignPage(request: IncomingMessage): void {
    const { url = '', method, headers } = request;
    const path = url.split('?', 1)[0] ?? '';
    if (!programsPaths.test(path) && headers.upgrade === undefined) return;
    if (!this.isOfForeignPage(path, headers)) return;
    const mode = headers['sec-fetch-mode'] ?? 'navigate';
    if ((method === 'GET' || method === 'HEAD') && mode === 'navigate' && linkedPaths.test(path)) return;
    throw new AppError({
      kind: 'forbidden',
      reason: 'foreign_page',
      message: 'A page of another site may not call this factory.',
      hint: 'Open the address itself, or add the origin of the page to OPENFACTORY_ALLOWED_ORIGINS and let it send requests with CORS.',
    });
  }

  /**
   * By Fetch Metadata (2.3 and 2.4); a page of the same site is another's, too. Over plain http to another machine browsers leave it out: then by the page that
   * Referer names. A page may have that left out as well, so where a GET is more than reading (it opens a session, and the longest idle one ends for it) a browser
   * that says nothing of its page is taken for a foreign one's; no page can have it call itself anything but Mozilla without an Origin.
   */
  private isOfForeignPage(path: string, headers: IncomingMessage['headers']): boolean {
    const { host, referer, 'sec-fetch-site': site, 'user-agent': agent = '' } = headers;
    if (site !== undefined) return site === 'cross-site' || site === 'same-site';
    if (referer !== undefined) {
      const page = URL.canParse(referer) ? new URL(referer) : undefined;
      return page?.host !== host?.toLowerCase() && !this.isAllowedOrigin(page?.origin ?? '');
    }
    return sessionPaths.test(path) && agent.startsWith('Mozilla/');
  }

  /** Sets the CORS headers of an allowed origin and answers a preflight. @returns whether the request is answered */
  answerPreflight(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Expose-Headers', corsExposedHeaders);
    response.setHeader('Vary', 'Origin');
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE');
    response.setHeader('Access-Control-Allow-Headers', corsRequestHeaders);
    response.setHeader('Access-Control-Max-Age', '600');
    response.writeHead(204).end();
    return true;
  }

  private isAllowedHost(host: string): boolean {
    if (this.allowedSpellings.has(host)) return true;
    this.hosts ??= this.allowedHosts();
    const lower = host.toLowerCase();
    const isAllowed = this.hosts.has(lower) || this.hosts.has(lower.replace(/:\d+$/, ''));
    if (isAllowed && this.allowedSpellings.size < mostSpellings) this.allowedSpellings.add(host);
    return isAllowed;
  }

  private isAllowedOrigin(origin: string): boolean {
    this.origins ??= this.allowedOrigins();
    return this.origins.has(origin.toLowerCase());
  }

  /** A name without a port allows every port of it: the port a tunnel or container maps to is no secret worth guarding. */
  private allowedHosts(): Set<string> {
    const { host, publicUrl, allowedHosts } = this.settings;
    const own = host.includes(':') ? `[${host}]` : host;
    return new Set(
      ['localhost', '127.0.0.1', '[::1]', own, new URL(publicUrl).hostname, ...allowedHosts].map((name) =>
        name.toLowerCase(),
      ),
    );
  }

  private allowedOrigins(): Set<string> {
    const { publicUrl, allowedOrigins } = this.settings;
    const { origin, port, protocol } = new URL(publicUrl);
    const local = ['localhost', '127.0.0.1', '[::1]'].map((name) => `${protocol}//${name}${port && `:${port}`}`);
    return new Set([origin, ...local, ...allowedOrigins].map((name) => name.toLowerCase()));
  }
}

/** The host that a request is for. An address that is said whole is the host's word, and becomes the path that everybody else looks at (RFC 9112, 3.2). */
function hostOf(request: IncomingMessage): string | undefined {
  const { url = '', rawHeaders, headers } = request;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1) throw invalid('host_twice', 'The request has more than one Host header.', 'Send one.');
  if (url.startsWith('/') || url === '*') return headers.host;
  if (!/^https?:/i.test(url) || !URL.canParse(url))
    throw invalid('invalid_url', `"${clip(url)}" is no address of a request.`, 'Send a path that begins with a slash.');
  const { host, pathname, search } = new URL(url);
  request.url = `${pathname}${search}`;
  return host;
}
