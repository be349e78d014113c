import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { CallerService } from '../caller/caller.service.js';
import { PUBLIC_ROUTE, rememberCaller } from './current-caller.decorator.js';

/** Global: resolves the Caller of every route that is not marked public. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly callers: CallerService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC_ROUTE, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<Request>();
    rememberCaller(request, await this.callers.resolve(request));
    return true;
  }
}
