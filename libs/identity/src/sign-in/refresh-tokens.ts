import { Injectable } from '@nestjs/common';
import { bytesOfUuid, FactorySecret, readClaims, signClaims, uuidBytes, uuidOfBytes } from '#libs/platform';

const countBytes = 4;

export interface RefreshClaims {
  signInId: string;
  count: number;
}

/** Which sign-in, and after how many exchanges. The same claims are always the same token, so that one exchange has one successor however often it is asked for. */
@Injectable()
export class RefreshTokens {
  readonly #key: Buffer;

  constructor(secret: FactorySecret) {
    this.#key = secret.derive('refresh-token');
  }

  issue({ signInId, count }: RefreshClaims): string {
    const counted = Buffer.alloc(countBytes);
    counted.writeUInt32BE(count);
    return signClaims(this.#key, Buffer.concat([bytesOfUuid(signInId), counted]));
  }

  /** @returns undefined where it is no token of ours */
  read(token: string): RefreshClaims | undefined {
    const claims = readClaims(this.#key, token, uuidBytes + countBytes);
    return claims && { signInId: uuidOfBytes(claims.subarray(0, uuidBytes)), count: claims.readUInt32BE(uuidBytes) };
  }
}
