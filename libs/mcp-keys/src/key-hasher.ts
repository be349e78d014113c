import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { FactorySecret } from '#libs/platform';

/**
 * What is stored of a key. A plain hash would do for so many random bits; with the factory's secret in it, a stolen table does not even
 * tell whether a key that was found elsewhere is one of this factory.
 */
@Injectable()
export class KeyHasher {
  /** Not its bytes: those would be made a key object again for every hash, which takes six times as long as the hash. */
  readonly #secret: KeyObject;

  constructor(secret: FactorySecret) {
    this.#secret = createSecretKey(secret.derive('mcp-key'));
  }

  hash(key: string): string {
    return createHmac('sha256', this.#secret).update(key).digest('hex');
  }
}
