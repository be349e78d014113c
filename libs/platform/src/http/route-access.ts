import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { Caller } from '../caller/caller.js';
import { credentialsRequired } from '../caller/caller.service.js';
import { AppError } from '../errors/app-error.js';

export const PUBLIC_ROUTE = 'openfactory:public-route';
export const UNCOUNTED_ROUTE = 'openfactory:uncounted-route';
export const ROUTE_TOOLSET = 'openfactory:route-toolset';
export const ROUTE_READ_ONLY = 'openfactory:route-read-only';
export const ROUTE_PEOPLE = 'openfactory:route-people';

/** A route that answers without knowing who asks (health, documentation). Every other route has a Caller. */
export const PublicRoute = (): CustomDecorator => SetMetadata(PUBLIC_ROUTE, true);
/** Of routes that nobody is kept from by calling too often: probes of health, metrics, the files of pages. */
export const UncountedRoute = (): CustomDecorator => SetMetadata(UNCOUNTED_ROUTE, true);
/** Of a controller: the toolset its routes belong to. A key that is limited to others cannot use them. */
export const Toolset = (name: string): CustomDecorator => SetMetadata(ROUTE_TOOLSET, name);
/** A route that changes nothing though its method is not GET. A key that may only look can use it. */
export const ReadOnlyRoute = (): CustomDecorator => SetMetadata(ROUTE_READ_ONLY, true);
/** Routes for people who have signed in, not for keys: for all of them, or for administrators. */
export const PeopleOnly = (who: 'users' | 'admins' = 'users'): CustomDecorator => SetMetadata(ROUTE_PEOPLE, who);

export interface RouteAccess {
  toolset: string | undefined;
  readOnly: boolean;
  people: 'users' | 'admins' | undefined;
}

/** @throws AppError `credentials_required`, `sign_in_required`, `admins_only`, `toolset_not_allowed`, `read_only` */
export function checkRouteAccess(caller: Caller, { toolset, readOnly, people }: RouteAccess): void {
  if (people && caller.kind === 'anonymous') throw credentialsRequired();
  if (people && caller.kind !== 'user')
    throw forbidden(
      'sign_in_required',
      'This is for people who have signed in; an API key does not do.',
      'Send the access token of POST /api/auth/token.',
    );
  if (people === 'admins' && !caller.isAdmin) throw forbidden('admins_only', 'This is for administrators.');
  if (toolset !== undefined && caller.toolsets && !caller.toolsets.includes(toolset)) {
    throw forbidden(
      'toolset_not_allowed',
      `This API key may not use the toolset ${toolset}.`,
      `It may use: ${caller.toolsets.join(', ')}.`,
    );
  }
  if (caller.readOnly && !readOnly) throw forbidden('read_only', 'This API key may look, but not change anything.');
}

const forbidden = (reason: string, message: string, hint?: string) =>
  new AppError({ kind: 'forbidden', reason, message, ...(hint && { hint }) });
