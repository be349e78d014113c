import { LRUCache } from 'lru-cache';
import type { Grant } from './caller.js';
import type { Revocations } from './revocations.js';

const mostGrants = 10_000;
/** Beside revocations: what else changes a grant, such as a role, is seen this late at most. */
const rememberedForMs = 60_000;

/** Grants that were checked against the database a moment ago. None outlives its revocation by more than a second (Revocations). */
export class CheckedGrants {
  readonly #grants = new LRUCache<string, Grant>({ max: mostGrants, ttl: rememberedForMs });

  constructor(private readonly revocations: Revocations) {
    revocations.onRevoked((subject) => {
      for (const [key, { revocationSubjects }] of this.#grants.entries())
        if (revocationSubjects.includes(subject)) this.#grants.delete(key);
    });
  }

  /**
   * @param key of the credentials, never themselves
   * @param check asks the database. Undefined is not remembered
   */
  async get(key: string, check: () => Promise<Grant | undefined>): Promise<Grant | undefined> {
    const isCurrent = this.revocations.isCurrent;
    const known = isCurrent ? this.#grants.get(key) : undefined;
    if (known) return isOver(known) ? undefined : known;
    const countBefore = this.revocations.count;
    const grant = await check();
    if (!grant || isOver(grant)) return undefined;
    if (isCurrent && this.revocations.count === countBefore) this.#grants.set(key, grant);
    return grant;
  }
}

const isOver = ({ expiresAt }: Grant) => expiresAt !== undefined && expiresAt <= Date.now();
