import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppError, AuditLog, CallerService, CallLimits, requestIdOf, toAppError, type Grant } from '#libs/platform';
import { ConsoleUrlService } from './console-url.service.js';

export type ConsolePass = Awaited<ReturnType<ConsoleUrlService['grantOf']>>;

/** Who comes to a console: counted, their token checked, and what came of it written down. */
@Injectable()
export class ConsoleAuthorizer {
  constructor(
    private readonly urls: ConsoleUrlService,
    private readonly callers: CallerService,
    private readonly limits: CallLimits,
    private readonly audit: AuditLog,
  ) {}

  /** @throws AppError `rate_limited`, `console_link_invalid`, `console_link_expired`, `console_link_revoked` */
  async authorize(address: string, token: string): Promise<ConsolePass> {
    const refusal = await this.limits.countRequest(address);
    if (refusal) throw refusal;
    this.limits.refuseGuesser(address);
    try {
      return await this.urls.grantOf(token);
    } catch (error) {
      // An old link is no guess.
      if (error instanceof AppError && error.reason === 'console_link_invalid')
        await this.callers.refused({ address, edge: 'console', reason: error.reason });
      throw error;
    }
  }

  addressOf(request: IncomingMessage): string {
    return this.callers.addressOf(request);
  }

  /** @param connecting as far as it came, and the error that stopped it */
  record(
    request: IncomingMessage,
    {
      address,
      pass,
      vm,
      error,
    }: { address: string; pass?: ConsolePass; vm?: { name: string; ownerId: string }; error?: unknown },
  ): void {
    const caller = vm &&
      pass && { kind: kindOf(pass), ownerId: vm.ownerId, principalId: pass.principalId ?? vm.ownerId };
    this.audit.record({
      caller,
      address,
      edge: 'console',
      action: 'open_console',
      object: vm?.name ?? pass?.vmId,
      result: error === undefined ? 'ok' : toAppError(error).reason,
      requestId: requestIdOf(request),
    });
  }
}

/** By whom the link was made that somebody came with. */
function kindOf({ principalId = '' }: ConsolePass): Grant['kind'] {
  if (principalId.startsWith('key:')) return 'key';
  return principalId.startsWith('session:') ? 'user' : 'anonymous';
}
