/** So much a second, and so much at once. May be overdrawn: what is not left has to be waited for. */
export class TokenBucket {
  #left: number;
  #at: number;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#left = burst;
    this.#at = now();
  }

  /** @returns whether there was as much */
  take(amount: number): boolean {
    this.#refill();
    this.#left -= amount;
    return this.#left >= 0;
  }

  giveBack(amount: number): void {
    this.#left = Math.min(this.burst, this.#left + amount);
  }

  /** Until nothing of it is overdrawn any more. */
  get debtMs(): number {
    this.#refill();
    return this.#left >= 0 ? 0 : (-this.#left / this.perSecond) * 1000;
  }

  #refill(): void {
    const now = this.now();
    this.#left = Math.min(this.burst, this.#left + ((now - this.#at) / 1000) * this.perSecond);
    this.#at = now;
  }
}
