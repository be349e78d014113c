import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { HashingQueue } from '#libs/platform';

/** argon2id, the smallest that OWASP recommends (Password Storage Cheat Sheet): 19 MiB each. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Who signs in waits in turn with who has the passwords of a recipe hashed. */
const asker = 'accounts';

/** Hashes passwords, a few at a time: the memory and the processors are for the rest of the factory too. */
@Injectable()
export class PasswordHasher {
  readonly #nobodys = unmatchableHash();

  constructor(private readonly queue: HashingQueue) {}

  /** @throws AppError `too_busy` */
  async hash(password: string): Promise<string> {
    return await this.queue.run(asker, () => hash(spelled(password), cost));
  }

  /**
   * Takes as long where there is no hash to compare with, so that time does not tell whether an account exists.
   * @throws AppError `too_busy`
   */
  async matches(known: string | undefined, password: string): Promise<boolean> {
    const isMatch = await this.queue.run(asker, () => verify(known ?? this.#nobodys, spelled(password)));
    return isMatch && known !== undefined;
  }
}

/** A hash that no password is known for: for accounts that have none yet. */
export function unmatchableHash(): string {
  const part = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$${part(16)}$${part(32)}`;
}

/** One spelling of what keyboards compose differently. */
const spelled = (password: string) => password.normalize('NFC');
