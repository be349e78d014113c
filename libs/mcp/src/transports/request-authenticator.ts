import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppError, CallerService, CallLimits, Readiness, type Caller } from '#libs/platform';
import { readSelection, type ToolsetSelection } from '../catalogue/toolset-selection.js';
import type { AuthenticatedRequest } from '../dispatch/authenticated-request.js';
import { GatewayOptions } from '../gateway-options.js';

/** Decides who comes in and what they asked to see, for every transport alike. */
@Injectable()
export class RequestAuthenticator {
  constructor(
    private readonly callers: CallerService,
    private readonly limits: CallLimits,
    private readonly readiness: Readiness,
    private readonly options: GatewayOptions,
  ) {}

  /** Counts the request, too. @throws AppError for bad credentials, an unknown proxy, or a factory that is on its way out */
  async authenticate(request: IncomingMessage): Promise<AuthenticatedRequest> {
    if (this.readiness.stopping)
      throw new AppError({
        kind: 'unavailable',
        reason: 'stopping',
        message: 'The factory is shutting down.',
        hint: 'Connect again in a moment.',
      });
    const crowded = await this.limits.countRequest(this.callers.addressOf(request));
    const caller = await this.callers.resolve(request, 'mcp');
    return { caller, refusal: crowded ?? (await this.limits.countCall(caller)) };
  }

  /** For what cannot be refused in a message: opening, listening, ending. @throws AppError as `authenticate`, and `rate_limited` */
  async caller(request: IncomingMessage): Promise<Caller> {
    const { caller, refusal } = await this.authenticate(request);
    if (refusal) throw refusal;
    return caller;
  }

  /** What they asked to see, of what they may use. @throws AppError `unknown_toolset` */
  selection(request: IncomingMessage, { toolsets, readOnly }: Caller): ToolsetSelection {
    const asked = readSelection(request, this.options.toolsets);
    return {
      toolsets: toolsets ? toolsets.filter((name) => asked.toolsets?.includes(name) ?? true) : asked.toolsets,
      readOnly: asked.readOnly || readOnly,
    };
  }
}
