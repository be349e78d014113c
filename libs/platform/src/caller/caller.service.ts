import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { AuditEdge, RefusedCredentials } from '../audit/audit-entry.js';
import { AuditLog } from '../audit/audit-log.js';
import { AppError } from '../errors/app-error.js';
import { requestIdOf } from '../http/request-id.js';
import { CallLimits } from '../limits/call-limits.js';
import { Settings } from '../config/settings.js';
import { anonymousCaller, type Caller, type CallerResolver, type Grant } from './caller.js';
import { ClientAddressReader } from './client-address.js';
import { misplacedCredentials } from './misplaced-credentials.js';
import { Revocations } from './revocations.js';

/** Resolves a request to its one Caller. Credentials that nobody accepts are refused: there is no fall-back to anonymous. */
@Injectable()
export class CallerService {
  private readonly resolvers: CallerResolver[] = [];
  private readonly addresses: ClientAddressReader;
  private readonly anonymousByAddress = new Map<string, Caller>();

  constructor(
    private readonly settings: Settings,
    private readonly revocations: Revocations,
    private readonly limits: CallLimits,
    private readonly audit: AuditLog,
  ) {
    this.addresses = new ClientAddressReader(settings.trustProxy);
  }

  register(resolver: CallerResolver): void {
    this.resolvers.push(resolver);
  }

  /**
   * @throws AppError `invalid_api_key` and other `unauthenticated` for bad credentials, `misplaced_credentials`, `credentials_required` where anonymous callers are turned away,
   * `proxy_not_configured` for an anonymous caller behind an unknown proxy, `rate_limited` for an address that guesses
   */
  async resolve(request: IncomingMessage, edge: AuditEdge): Promise<Caller> {
    const misplaced = misplacedCredentials(request);
    if (misplaced) throw misplaced;
    const authorization = request.headers.authorization;
    if (authorization === undefined) return this.anonymous(request);
    const address = this.addresses.readPeer(request);
    this.limits.refuseGuesser(address);
    const checkedAt = this.revocations.count;
    try {
      for (const resolver of this.resolvers) {
        const grant = await resolver.resolve({ request, authorization, address });
        if (grant) return { ...grant, address, checkedAt };
      }
      throw invalidApiKey();
    } catch (error) {
      if (error instanceof AppError && error.kind === 'unauthenticated')
        await this.refused({ address, edge, reason: error.reason, requestId: requestIdOf(request) });
      throw error;
    }
  }

  /** Credentials of any kind were refused: it counts against the address, and is written down. For edges that check some themselves, such as a password. */
  async refused(refusal: RefusedCredentials): Promise<void> {
    this.audit.recordRefusedCredentials(refusal);
    await this.limits.countFailure(refusal.address);
  }

  /** Whether it was sent on this machine and came through no proxy, or through a trusted one that says so. */
  isLocal(request: IncomingMessage): boolean {
    return this.addresses.isLocal(request);
  }

  /** The address a request comes from, for limits and records; of an unknown proxy its own. */
  addressOf(request: IncomingMessage): string {
    return this.addresses.readPeer(request);
  }

  /** The same, undefined where the connection is closed already. */
  findAddressOf(request: IncomingMessage): string | undefined {
    return request.socket.remoteAddress === undefined ? undefined : this.addressOf(request);
  }

  /** What a principal may do now (`key:<uuid>`, `session:<uuid>`, or `user:<uuid>` for an account whatever it came with); undefined: nothing any more. */
  async currentGrant(principalId: string): Promise<Grant | undefined> {
    const [kind = '', id = ''] = principalId.split(':', 2);
    return await this.resolvers.find(({ kinds }) => kinds.includes(kind))?.currentGrant(kind, id);
  }

  private anonymous(request: IncomingMessage): Caller {
    if (!this.settings.anonymous) throw credentialsRequired();
    const address = this.addresses.read(request);
    const known = this.anonymousByAddress.get(address);
    if (known) return known;
    if (this.anonymousByAddress.size >= 10_000) this.anonymousByAddress.clear();
    const caller = anonymousCaller(address);
    this.anonymousByAddress.set(address, caller);
    return caller;
  }
}

/** One answer for every key that is not valid, whatever the reason. */
export function invalidApiKey(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'invalid_api_key',
    message: 'Invalid API key',
    hint: 'Send a valid key, or no Authorization header to work as an anonymous caller where the factory allows that.',
  });
}

export function credentialsRequired(): AppError {
  return new AppError({
    kind: 'unauthenticated',
    reason: 'credentials_required',
    message: 'Sign in, or send an API key.',
    hint: 'Send "Authorization: Bearer …" with an API key or an access token.',
  });
}
