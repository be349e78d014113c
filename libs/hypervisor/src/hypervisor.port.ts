/** What guests run on: the processor itself, or its emulation, many times slower. */
export interface Acceleration {
  kind: 'kvm' | 'tcg';
  /** In words: how that is known. */
  why: string;
}

export interface GuestSpec {
  /** Boots from this CD; readable by the account that guests run under. */
  isoPath?: string;
  memoryMb: number;
  vcpus: number;
  firmware: 'bios' | 'uefi';
  network: 'none';
  /** The guest's own directory on this host, which exists; the serial log stays in it, the rest is removed with the guest. */
  workDir: string;
}

export interface GuestEnd {
  /** `quit`: we ended it. `powered_off`: it ended itself, by power-off or reset. `failed`: its virtual machine broke. */
  why: 'quit' | 'powered_off' | 'failed';
  detail: string;
}

export interface ExecuteOptions {
  deadlineMs: number;
  /** Text for the program's standard input. */
  input?: string;
}

export interface ExecuteResult {
  /** 128 + the signal's number where a signal ended the program. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A running machine. What it says is a stranger's word: bounded in size and time, and fit for no decision about anything but itself. */
export abstract class Guest {
  /** Everything it printed on its first serial port, up to a cap. */
  abstract readonly serialLogPath: string;
  /** Settles once the guest is gone and nothing of it runs any more; never rejects. */
  abstract readonly ended: Promise<GuestEnd>;
  /** The end of what it printed on its first serial port. */
  abstract serialText(): string;
  /** @throws AppError `guest_ended`, or the signal's reason */
  abstract waitForAgent(signal: AbortSignal): Promise<{ version: string }>;
  /** Runs a program in the guest, as its root, through its agent. @throws AppError `guest_agent_failed`, `guest_ended` */
  abstract execute(path: string, args: readonly string[], options: ExecuteOptions): Promise<ExecuteResult>;
  /** A PNG of its screen. @throws AppError `screenshot_failed`, `guest_ended` */
  abstract screenshot(): Promise<Buffer>;
  /** Ends it at once, like pulling the plug. Safe to call again; resolves when it is gone. */
  abstract quit(): Promise<void>;
}

export abstract class Hypervisor {
  /** Found by running a guest for a moment; asked once, kept for the life of the process. @throws AppError `hypervisor_unavailable` */
  abstract acceleration(): Promise<Acceleration>;
  /** The signal is for the start only: a guest that runs is ended by `quit`. @throws AppError `hypervisor_unavailable`, or the signal's reason */
  abstract start(spec: GuestSpec, signal: AbortSignal): Promise<Guest>;
}
