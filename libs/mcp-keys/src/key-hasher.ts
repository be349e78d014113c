import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { FactorySecret } from '#libs/platform';

/**
 * What is stored of a key. A plain hash would do for so many random bits; with the factory's secret in it, a stolen table does not even
 * tell whether a key that was found elsewhere is one of this factory.
 */
@Injectable()
export class KeyHasher {
  readonly #secret: Buffer;

  constructor(secret: FactorySecret) {
    this.#secret = secret.derive('mcp-key');
  }

  hash(key: string): string {
    return createHmac('sha256', this.#secret).update(key).digest('hex');
  }
}
