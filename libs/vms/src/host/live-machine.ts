import type { Guest } from '#libs/hypervisor';
import { AppError, untilAborted } from '#libs/platform';
import type { VmReason, VmState } from '../vm.js';

/** Calls that may wait for their turn at one VM. */
const mostWaiting = 32;

/** What the row of a VM becomes when its guest is gone; `deleted`: there is no row to write. */
export type Ending = { state: Extract<VmState, 'stopped'>; reason: VmReason } | 'deleted';

/** This process's hold on one VM that starts or runs. What the VM is like is in the database. */
export class LiveMachine {
  guest: Guest | undefined;
  /** Set by who ends it, so that its end is no surprise. */
  ending: Ending | undefined;
  /** Ends its start. */
  readonly abort = new AbortController();
  /** Aborts with `guest_ended` what is under way when its guest ends. */
  readonly gone = new AbortController();
  /** Settles when it is over and that is written down; never rejects. */
  readonly over: Promise<void>;
  /** Settles when its start is over, however it went; never rejects. */
  started: Promise<void> = Promise.resolve();
  markOver!: () => void;
  private tail = Promise.resolve();
  private waiting = 0;

  constructor(readonly vmId: string) {
    this.over = new Promise((resolve) => (this.markOver = resolve));
  }

  get isStarting(): boolean {
    return this.guest === undefined;
  }

  /**
   * One call after the other: two hands at one mouse are no good.
   * @throws AppError `vm_busy`, `guest_ended`, or the signal's reason
   */
  async inTurn<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.waiting >= mostWaiting)
      throw new AppError({
        kind: 'quota',
        reason: 'vm_busy',
        message: `${mostWaiting} calls wait for this VM already.`,
        hint: 'Wait for the answers to earlier calls before you send more.',
      });
    const both = AbortSignal.any([signal, this.gone.signal]);
    const before = this.tail;
    let done: () => void = () => undefined;
    this.tail = new Promise((resolve) => (done = resolve));
    this.waiting++;
    try {
      await untilAborted(before, both);
      return await work(both);
    } finally {
      this.waiting--;
      void before.then(done);
    }
  }
}
