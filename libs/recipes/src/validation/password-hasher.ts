import { Injectable } from '@nestjs/common';
import { AppError, FactorySecret, HashingQueue, runProgram } from '#libs/platform';

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const saltBytes = 16;
/** perl is essential on Debian and reaches the C library's crypt(3). Password and setting come by standard input, never as arguments. */
const script = 'my $s = <STDIN>; chomp $s; local $/; my $p = <STDIN>; print crypt($p, $s) // "";';

/** yescrypt hashes with a salt derived from whom the password is for: the same recipe gives the same image, and no two users share a salt. */
@Injectable()
export class PasswordHasher {
  constructor(
    private readonly secret: FactorySecret,
    private readonly queue: HashingQueue,
  ) {}

  /** @throws AppError `hash_unavailable`, `too_busy`; the signal's reason where it was aborted */
  async hash(
    password: string,
    owner: { ownerId: string; recipe: string; user: string },
    signal?: AbortSignal,
  ): Promise<string> {
    const purpose = ['recipe-password', owner.ownerId, owner.recipe, owner.user]
      .map((word) => JSON.stringify(word))
      .join(' ');
    const setting = `$y$j9T$${crypt64(this.secret.derive(purpose, saltBytes))}`;
    const { stdout } = await this.queue.run(
      owner.ownerId,
      () =>
        runProgram('perl', ['-e', script], {
          input: `${setting}\n${password}`,
          deadlineMs: 20_000,
          ...(signal && { signal }),
        }),
      signal,
    );
    if (stdout.startsWith(`${setting}$`)) return stdout;
    throw new AppError({
      kind: 'unavailable',
      reason: 'hash_unavailable',
      message: 'This host cannot make yescrypt password hashes.',
      hint: 'The C library needs libcrypt 4.4 or newer, as Debian 11 and later have; give password_hash instead of password meanwhile.',
    });
  }
}

/** The base64 of crypt(5): six bits at a time, the lowest first. */
export function crypt64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = bytes.subarray(at, at + 3);
    let value = group.reduce((sum, byte, place) => sum | (byte << (8 * place)), 0);
    for (let digits = Math.ceil((group.length * 8) / 6); digits > 0; digits--) {
      text += alphabet[value & 63];
      value >>>= 6;
    }
  }
  return text;
}
