import { LRUCache } from 'lru-cache';
import { TokenBucket } from '#libs/platform';

/** What hands and a browser's page send is far below; a burst takes a pasted text. Messages are RFB's, frames the websocket's: many of one may be in one of the other. */
export const consoleLimits = {
  frames: { perSecond: 1_000, burst: 10_000 },
  messages: { perSecond: 2_000, burst: 12_000 },
  bytes: { perSecond: 1_048_576, burst: 4_194_304 },
} as const;
/** Owners that are remembered: whoever opens a new console goes on with what is left of the last. */
const mostOwners = 1_000;

/** A console sent more than its owner's consoles may. */
export class ConsoleFlood extends Error {}

/** What the browsers at the consoles of one owner may send. It costs the event loop that everybody shares, also where a viewer's messages are thrown away. */
export class ConsoleBudget {
  readonly #buckets: Record<keyof typeof consoleLimits, TokenBucket>;

  constructor(now?: () => number) {
    const bucket = ({ perSecond, burst }: { perSecond: number; burst: number }) =>
      new TokenBucket(perSecond, burst, now);
    this.#buckets = {
      frames: bucket(consoleLimits.frames),
      messages: bucket(consoleLimits.messages),
      bytes: bucket(consoleLimits.bytes),
    };
  }

  /** @throws ConsoleFlood */
  frame(bytes: number): void {
    this.#take('frames', 1);
    this.#take('bytes', bytes);
  }

  /** @throws ConsoleFlood */
  message(): void {
    this.#take('messages', 1);
  }

  #take(what: keyof typeof consoleLimits, amount: number): void {
    if (!this.#buckets[what].take(amount))
      throw new ConsoleFlood(`more than ${consoleLimits[what].perSecond} ${what} in a second`);
  }
}

export class ConsoleBudgets {
  readonly #owners = new LRUCache<string, ConsoleBudget>({ max: mostOwners });

  of(ownerId: string): ConsoleBudget {
    let budget = this.#owners.get(ownerId);
    if (!budget) this.#owners.set(ownerId, (budget = new ConsoleBudget()));
    return budget;
  }
}
