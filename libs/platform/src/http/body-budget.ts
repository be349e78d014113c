import { AppError } from '../errors/app-error.js';

/** What bodies that are being read may take in all, and those of one address. */
export const bodyLimits = {
  processBytes: 256 * 1024 * 1024,
  addressBytes: 32 * 1024 * 1024,
  addressBodies: 64,
} as const;

interface Taken {
  bytes: number;
  bodies: number;
}

/** Bytes of bodies in flight: what a half-sent body holds is paid for from its first byte, by what its sender says that it will have. */
export class BodyBudget {
  readonly #byAddress = new Map<string, Taken>();
  #bytes = 0;

  constructor(
    private readonly limits: { processBytes: number; addressBytes: number; addressBodies: number } = bodyLimits,
  ) {}

  /** @returns gives it back, once. @throws AppError `too_many_bodies` */
  take(address: string, bytes: number): () => void {
    const taken = this.#byAddress.get(address) ?? { bytes: 0, bodies: 0 };
    if (taken.bodies >= this.limits.addressBodies || taken.bytes + bytes > this.limits.addressBytes)
      throw tooMany('quota', 'Your address is sending as much at once as it may.');
    if (this.#bytes + bytes > this.limits.processBytes)
      throw tooMany('unavailable', 'The factory is being sent as much at once as it can take.');
    this.#byAddress.set(address, { bytes: taken.bytes + bytes, bodies: taken.bodies + 1 });
    this.#bytes += bytes;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#bytes -= bytes;
      const now = this.#byAddress.get(address);
      if (now && now.bodies > 1) this.#byAddress.set(address, { bytes: now.bytes - bytes, bodies: now.bodies - 1 });
      else this.#byAddress.delete(address);
    };
  }
}

function tooMany(kind: 'quota' | 'unavailable', message: string): AppError {
  return new AppError({
    kind,
    reason: 'too_many_bodies',
    message,
    hint: 'Wait until what you send has been answered.',
    retryAfterSeconds: 5,
  });
}
