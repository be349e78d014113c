import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';
import { Settings } from '../config/settings.js';
import { anonymousCaller, type Caller, type CallerResolver } from './caller.js';
import { ClientAddressReader } from './client-address.js';

/** Resolves a request to its one Caller. Credentials that nobody accepts are refused: there is no fall-back to anonymous. */
@Injectable()
export class CallerService {
  private readonly resolvers: CallerResolver[] = [];
  private readonly addresses: ClientAddressReader;
  private readonly anonymousByAddress = new Map<string, Caller>();

  constructor(settings: Settings) {
    this.addresses = new ClientAddressReader(settings.trustProxy);
  }

  register(resolver: CallerResolver): void {
    this.resolvers.push(resolver);
  }

  /** @throws AppError `unauthenticated` for bad credentials, `forbidden` for an anonymous caller behind an unknown proxy. */
  async resolve(request: IncomingMessage): Promise<Caller> {
    const authorization = request.headers.authorization;
    if (authorization === undefined) return this.anonymous(request);
    for (const resolver of this.resolvers) {
      const caller = await resolver.resolve({ request, authorization });
      if (caller) return caller;
    }
    throw new AppError({
      kind: 'unauthenticated',
      reason: 'invalid_api_key',
      message: 'Invalid API key',
      hint: 'Remove the Authorization header to work as an anonymous caller, or send a valid key.',
    });
  }

  private anonymous(request: IncomingMessage): Caller {
    const address = this.addresses.read(request);
    const known = this.anonymousByAddress.get(address);
    if (known) return known;
    if (this.anonymousByAddress.size >= 10_000) this.anonymousByAddress.clear();
    const caller = anonymousCaller(address);
    this.anonymousByAddress.set(address, caller);
    return caller;
  }
}
