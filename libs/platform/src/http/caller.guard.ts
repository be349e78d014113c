import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import type { Caller } from '../caller/caller.js';
import { CallerService } from '../caller/caller.service.js';
import type { AppError } from '../errors/app-error.js';
import { BodyReader, hasBody } from './body-reader.js';
import { rememberCaller } from './current-caller.decorator.js';
import { CallLimits } from '../limits/call-limits.js';
import { isReading } from './is-reading.js';
import { OpenResponses } from './open-responses.js';
import { noteOn } from './request-trail.js';
import {
  checkRouteAccess,
  PUBLIC_ROUTE,
  ROUTE_PEOPLE,
  ROUTE_READ_ONLY,
  ROUTE_TOOLSET,
  UNCOUNTED_ROUTE,
  type RouteAccess,
} from './route-access.js';

/** Where @ApiOperation keeps what it was given (@nestjs/swagger, DECORATORS.API_OPERATION). */
const API_OPERATION = 'swagger/apiOperation';

export const bodyMethods = new Set(['POST', 'PUT', 'PATCH']);
const maxBodyBytes = 2 * 1024 * 1024;

/** Global: counts every call (what is not GET was counted before by its address), resolves the Caller of every route that is not marked public, and checks that this route is one for them; only then reads the body. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly callers: CallerService,
    private readonly limits: CallLimits,
    private readonly responses: OpenResponses,
    private readonly bodies: BodyReader,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    const said = <T>(key: string) => this.reflector.getAllAndOverride<T | undefined>(key, places);
    const request = context.switchToHttp().getRequest<Request>();
    const operation = this.reflector.get<{ operationId?: string } | undefined>(
      API_OPERATION,
      context.getHandler(),
    )?.operationId;
    if (operation) noteOn(request, { operation });
    if (isReading(request) && !said<boolean>(UNCOUNTED_ROUTE))
      refuseWhere(await this.limits.countRequest(this.callers.addressOf(request)));
    if (said<boolean>(PUBLIC_ROUTE)) {
      await this.readBody(request);
      return true;
    }
    const caller: Caller = await this.callers.resolve(request, 'rest');
    rememberCaller(request, caller);
    refuseWhere(await this.limits.countCall(caller));
    checkRouteAccess(caller, {
      toolset: said(ROUTE_TOOLSET),
      readOnly: request.method === 'GET' || said(ROUTE_READ_ONLY) === true,
      people: said<RouteAccess['people']>(ROUTE_PEOPLE),
    });
    this.responses.watch(caller, context.switchToHttp().getResponse<Response>());
    await this.readBody(request);
    return true;
  }

  /** Last: who is refused for anything else has not sent it for nothing, and it has cost us nothing. */
  private async readBody(request: Request): Promise<void> {
    if (bodyMethods.has(request.method) && hasBody(request))
      request.body = await this.bodies.readJson(request, this.callers.addressOf(request), maxBodyBytes);
  }
}

function refuseWhere(refusal: AppError | undefined): void {
  if (refusal) throw refusal;
}
