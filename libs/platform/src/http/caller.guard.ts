import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import type { Caller } from '../caller/caller.js';
import { CallerService } from '../caller/caller.service.js';
import { rememberCaller } from './current-caller.decorator.js';
import { OpenResponses } from './open-responses.js';
import { checkRouteAccess, PUBLIC_ROUTE, ROUTE_PEOPLE, ROUTE_READ_ONLY, ROUTE_TOOLSET, type RouteAccess } from './route-access.js';

/** Global: resolves the Caller of every route that is not marked public, and checks that this route is one for them. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly callers: CallerService,
    private readonly responses: OpenResponses,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    const said = <T>(key: string) => this.reflector.getAllAndOverride<T | undefined>(key, places);
    if (said<boolean>(PUBLIC_ROUTE)) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const caller: Caller = await this.callers.resolve(request);
    checkRouteAccess(caller, { toolset: said(ROUTE_TOOLSET), readOnly: request.method === 'GET' || said(ROUTE_READ_ONLY) === true, people: said<RouteAccess['people']>(ROUTE_PEOPLE) });
    this.responses.watch(caller, context.switchToHttp().getResponse<Response>());
    rememberCaller(request, caller);
    return true;
  }
}
