import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppError, CallerService, Readiness, type Caller } from '#libs/platform';
import { readSelection, type ToolsetSelection } from '../catalogue/toolset-selection.js';
import { GatewayOptions } from '../gateway-options.js';

/** Decides who comes in and what they asked to see, for every transport alike. */
@Injectable()
export class Doorkeeper {
  constructor(
    private readonly callers: CallerService,
    private readonly readiness: Readiness,
    private readonly options: GatewayOptions,
  ) {}

  /** @throws AppError for bad credentials, an unknown proxy, or a factory that is on its way out */
  async caller(request: IncomingMessage): Promise<Caller> {
    if (this.readiness.stopping) throw new AppError({ kind: 'unavailable', reason: 'stopping', message: 'The factory is shutting down.', hint: 'Connect again in a moment.' });
    return await this.callers.resolve(request);
  }

  /** What they asked to see, of what they may use. @throws AppError `unknown_toolset` */
  selection(request: IncomingMessage, { toolsets, readOnly }: Caller): ToolsetSelection {
    const asked = readSelection(request, this.options.toolsets);
    return { toolsets: toolsets ? toolsets.filter((name) => asked.toolsets?.includes(name) ?? true) : asked.toolsets, readOnly: asked.readOnly || readOnly };
  }
}
