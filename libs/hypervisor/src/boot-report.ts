import type { Acceleration } from './hypervisor.port.js';

export interface BootReport {
  passed: boolean;
  /** Not passed, and at least one problem is that somebody was late: that is the host's, and says nothing about the image. */
  isLate: boolean;
  /** One sentence each, empty when passed. */
  problems: string[];
  /** From the start of the guest to the end of the check. */
  seconds: number;
  acceleration: Acceleration;
  /** By whose word: without agent and helper, that a login prompt came is all that is known. */
  checkedBy: 'agent' | 'helper' | 'login prompt';
  agentVersion?: string;
  /** Absent where the image has no helper, or it did not answer. */
  helperVersion?: string;
  services: { name: string; active: boolean }[];
  failedUnits: string[];
  /** PNG; absent where the guest was gone before one could be taken. */
  screenshot?: Buffer;
  /** The last lines of the serial console, without control characters. */
  serialTail: string;
  serialLogPath?: string;
}

/** What a system did wrong, or that it was late, in a sentence for its maker. */
export class BootProblem extends Error {
  constructor(
    message: string,
    readonly isLate = false,
  ) {
    super(message);
  }
}
