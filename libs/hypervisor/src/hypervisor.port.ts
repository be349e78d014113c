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

/** What a clone of a snapshot must have of its own before anybody uses it. */
export interface RestoreDuties {
  /** At least 32 bytes of the host's randomness, given to this guest alone. */
  entropy: Buffer;
  /** What its clock shall say when it hears this. */
  at: Date;
  hostname: string;
  /** Of its first network interface, as 52:54:00:12:34:56; absent: it keeps the one it has. */
  mac?: string;
}

export interface RestoreReport {
  machineId: string;
  /** 32 bytes of the guest's randomness, read after it was renewed. */
  random: Buffer;
  /** Each duty done, and how long it took. */
  milliseconds: Record<string, number>;
}

export interface HelperGreeting {
  version: string;
  /** The kernel's: another one after a restart, the same one in a clone of a running guest. */
  bootId: string;
  /** systemd's word for the state of the system: `starting`, `running`, `degraded`…; `unknown` where it does not say. */
  systemState: string;
}

/** Our own small program in images of this factory (docs/builds.md). An image may lack it: it then never answers. */
export abstract class GuestHelper {
  /** At once where it runs already: may be asked again, for how the system is. @throws AppError `guest_ended`, or the signal's reason */
  abstract waitUntilReady(signal: AbortSignal): Promise<HelperGreeting>;
  /** Not idempotent: each call makes the guest a new machine. @throws AppError `guest_helper_failed`, `guest_ended` */
  abstract restore(duties: RestoreDuties, deadlineMs: number): Promise<RestoreReport>;
  /**
   * Types text, whatever the keyboard's layout, on the virtual terminal that is on its screen; at most 4096 bytes of UTF-8.
   * @throws AppError `guest_helper_failed` (with the word "graphical" where the screen is no terminal), `guest_ended`
   */
  abstract type(text: string): Promise<void>;
  /** Has the guest write to its disks what it holds in memory for them. @throws AppError `guest_helper_failed`, `guest_ended` */
  abstract sync(): Promise<void>;
}

/** A running machine. What it says is a stranger's word: bounded in size and time, and fit for no decision about anything but itself. */
export abstract class Guest {
  /** Everything it printed on its first serial port, up to a cap. */
  abstract readonly serialLogPath: string;
  /** Settles once the guest is gone and nothing of it runs any more; never rejects. */
  abstract readonly ended: Promise<GuestEnd>;
  abstract readonly helper: GuestHelper;
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
