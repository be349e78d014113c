import { RequestMethod, SetMetadata, type CustomDecorator, type Type } from '@nestjs/common';
import { METHOD_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { Reflector } from '@nestjs/core';
import { PUBLIC_ROUTE, ROUTE_PEOPLE, ROUTE_READ_ONLY, ROUTE_TOOLSET, UNCOUNTED_ROUTE } from './route-access.js';

const ROUTE_REFUSALS = 'openfactory:route-refusals';

/** Reasons by HTTP status. */
export type Refusals = Partial<Record<number, readonly string[]>>;

/** Why a route, or every route of a controller, refuses, beyond what its kind of route brings along (`refusalsOf`). For OpenAPI; the e2e tier holds every answer against it. */
export const Refuses = (refusals: Refusals): CustomDecorator => SetMetadata(ROUTE_REFUSALS, refusals);

/** RouteParamtypes of Nest, which keeps them to itself. */
const bodyParam = 3;
const queryParam = 4;
const headersParam = 6;

type Handler = (...args: never[]) => unknown;

/** Every reason why a route may refuse: from what its decorators say of it, the same that the guards go by, and from `@Refuses`. */
export function refusalsOf(reflector: Reflector, controller: Type, handler: Handler): Map<number, string[]> {
  const said = <T>(key: string) => reflector.getAllAndOverride<T | undefined>(key, [handler, controller]);
  const method = reflector.get<RequestMethod>(METHOD_METADATA, handler);
  const params = paramsOf(controller, handler);
  const isReading = method === RequestMethod.GET;
  const people = said<'users' | 'admins'>(ROUTE_PEOPLE);
  const kinds: [boolean, Refusals][] = [
    [
      true,
      {
        400: ['host_twice', 'invalid_url', 'malformed_request'],
        403: ['host_not_allowed', 'origin_not_allowed', 'foreign_page'],
        500: ['internal_error'],
        503: ['database_unavailable', 'disk_full', 'connection_closed'],
      },
    ],
    [!isReading || !said(UNCOUNTED_ROUTE), { 429: ['rate_limited'] }],
    [
      !said(PUBLIC_ROUTE),
      {
        400: ['invalid_forwarded_for'],
        401: ['credentials_required', 'invalid_api_key', 'invalid_token', 'misplaced_credentials'],
        403: ['proxy_not_configured'],
        429: ['rate_limited'],
      },
    ],
    [people !== undefined, { 403: ['sign_in_required'] }],
    [people === 'admins', { 403: ['admins_only'] }],
    [said(ROUTE_TOOLSET) !== undefined, { 403: ['toolset_not_allowed'] }],
    [!isReading && !people && !said(PUBLIC_ROUTE) && !said(ROUTE_READ_ONLY), { 403: ['read_only'] }],
    [
      takesBody(method),
      {
        400: ['malformed_json', 'body_incomplete'],
        408: ['body_too_slow'],
        413: ['body_too_large', 'too_many_values'],
        415: ['unsupported_media_type'],
        429: ['too_many_bodies'],
        503: ['too_many_bodies'],
      },
    ],
    [
      params.some(({ type }) => type === bodyParam || type === queryParam || type === headersParam),
      { 400: ['invalid_arguments'] },
    ],
    [
      params.some(({ type, name }) => type === headersParam && name === 'idempotency-key'),
      { 409: ['idempotency_key_reused'] },
    ],
    [true, reflector.get<Refusals | undefined>(ROUTE_REFUSALS, controller) ?? {}],
    [true, reflector.get<Refusals | undefined>(ROUTE_REFUSALS, handler) ?? {}],
  ];
  const all = new Map<number, Set<string>>();
  for (const [holds, refusals] of kinds) {
    if (!holds) continue;
    for (const [status, reasons = []] of Object.entries(refusals))
      all.set(Number(status), new Set([...(all.get(Number(status)) ?? []), ...reasons]));
  }
  return new Map([...all].sort(([a], [b]) => a - b).map(([status, reasons]) => [status, [...reasons].sort()]));
}

const takesBody = (method: RequestMethod) =>
  method === RequestMethod.POST || method === RequestMethod.PUT || method === RequestMethod.PATCH;

function paramsOf(controller: Type, handler: Handler): { type: number; name: unknown }[] {
  const metadata = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler.name) ?? {}) as Record<
    string,
    { data?: unknown }
  >;
  return Object.entries(metadata).map(([key, { data }]) => ({ type: Number(key.split(':')[0]), name: data }));
}
