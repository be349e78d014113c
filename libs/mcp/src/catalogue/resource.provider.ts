import { Injectable } from '@nestjs/common';
import type { Resource, ResourceContents, ResourceTemplate } from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '#libs/platform';
import type { CallContext } from './call-context.js';

/** A module's resources under one URI scheme (`machines://`). The module registers it with the ResourceCatalogue. */
export abstract class ResourceProvider {
  /** Without `://`. */
  abstract readonly scheme: string;
  abstract list(caller: Caller): Promise<Resource[]>;
  abstract templates(): ResourceTemplate[];
  /** Undefined for what does not exist or is another's: both are told in the same words. */
  abstract read(caller: Caller, uri: string, context: CallContext): Promise<ResourceContents[] | undefined>;
}

@Injectable()
export class ResourceCatalogue {
  private readonly providers = new Map<string, ResourceProvider>();

  register(provider: ResourceProvider): void {
    if (this.providers.has(provider.scheme))
      throw new Error(`Two providers claim the resource scheme ${provider.scheme}://.`);
    this.providers.set(provider.scheme, provider);
  }

  get all(): ResourceProvider[] {
    return [...this.providers.values()];
  }

  /** The provider of a URI's scheme (RFC 3986, 3.1), if any. */
  of(uri: string): ResourceProvider | undefined {
    return this.providers.get(uri.split(':', 1)[0]?.toLowerCase() ?? '');
  }
}
