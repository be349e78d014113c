import type { Duplex } from 'node:stream';

/** What guests run on: the processor itself, or its emulation, many times slower. */
export interface Acceleration {
  kind: 'kvm' | 'tcg';
  /** In words: how that is known. */
  why: string;
}

/** `none`: the network card leads nowhere. `egress`: to the internet, and to nothing of the host, its networks or other guests. */
export type GuestNetwork = 'none' | 'egress';

/** Of a guest for which nobody asks for another size; the boot that tests an image has it too, so that its state fits most VMs. */
export const usualGuestSize = { memoryMb: 1024, vcpus: 2 };

/** What a guest is made of. Guests of one shape can take over each other's saved state. */
export interface GuestShape {
  memoryMb: number;
  vcpus: number;
  firmware: 'bios' | 'uefi';
  network: GuestNetwork;
  /** A virtio disk beside the CD. */
  disk: boolean;
}

export interface GuestSpec extends Omit<GuestShape, 'disk'> {
  /** Boots from this CD. Opened by the factory: the account that guests run under need not be able to read it. */
  isoPath?: string;
  /** A qcow2 disk that the guest writes to; its backing file, if any, stands beside it. */
  diskPath?: string;
  /** The guest's own directory on this host, which exists; the serial log stays in it, the rest is removed with the guest. */
  workDir: string;
  /** `end` (the default): a guest that resets itself has ended; checks of an image want to know that. `restart`: it starts again, as machines do. */
  onReset?: 'end' | 'restart';
  /** Number of the account that this guest alone runs under, from 0. Absent: the account of builds, where one guest could reach another's files. */
  uidIndex?: number;
  /** Lives on when the factory is killed, until `adopt` finds it again. Absent: dies with the factory. */
  survives?: boolean;
  /** Its memory is a file that `saveSnapshot` can keep. */
  savable?: boolean;
}

/** A change of an input device, as in QEMU's `input-send-event`. */
export type InputEvent =
  /** A key by its QKeyCode (QAPI, ui.json), such as `a`, `ret`, `shift`. */
  | { kind: 'key'; key: string; down: boolean }
  | { kind: 'button'; button: 'left' | 'middle' | 'right' | 'wheel-up' | 'wheel-down'; down: boolean }
  /** Pixels of the screen as last captured. */
  | { kind: 'move'; x: number; y: number; screen: ScreenSize };

export interface ScreenSize {
  width: number;
  height: number;
}

export interface GuestEnd {
  /** `quit`: we ended it. `powered_off`: it ended itself, by power-off or reset. `failed`: its virtual machine broke. */
  why: 'quit' | 'powered_off' | 'failed';
  detail: string;
}

/** What a guest has done so far, as seen from outside. */
export interface GuestActivity {
  /** Processor time of all that runs it. */
  cpuMs: number;
  serialBytes: number;
}

export interface ExecuteOptions {
  /** Of host time. */
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
  hostname: string;
  /** Of its first network interface, as 52:54:00:12:34:56; absent: it keeps the one it has. */
  mac?: string;
  /** Its network card is about to be plugged in: it then asks for an address of its own. */
  linkUp: boolean;
  /** Made outside, where that takes a hundredth of the time; a type that is absent is made by the guest, where it has an SSH server. */
  sshHostKeys?: readonly SshHostKey[];
}

/** As ssh-keygen(1) writes it, in OpenSSH's own formats. */
export interface SshHostKey {
  type: 'ed25519' | 'ecdsa';
  privateKey: string;
  publicKey: string;
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

/** A text console, and what its kernel makes of keys (ioctl_console(2)). */
export interface ConsoleKeyboard {
  screen: 'console';
  /** KDGKBENT of the keys 0 to 127, 16 bits each, with nothing held, with shift, with AltGr, with both. */
  keymap: Buffer;
  /** KDGKBDIACRUC: mark, base and result of each, 32 bits each. */
  accents: Buffer;
  isCapsLocked: boolean;
}

/** A desktop, and what its X server makes of keys (X11 protocol, GetKeyboardMapping): 32 bits each. */
export interface X11Keyboard {
  screen: 'x11';
  firstKeycode: number;
  keysymsPerKeycode: number;
  keysyms: Buffer;
}

/** What stands behind the screen that a guest shows, and its layout; `unknown`: a graphical screen of another kind, or a helper of an earlier version. */
export type GuestKeyboard = ConsoleKeyboard | X11Keyboard | { screen: 'unknown' };

/** Our own small program in images of this factory (docs/builds.md). An image may lack it: it then never answers. */
export abstract class GuestHelper {
  /** At once where it runs already: may be asked again, for how the system is. @throws AppError `guest_ended`, or the signal's reason */
  abstract waitUntilReady(signal: AbortSignal): Promise<HelperGreeting>;
  /** Not idempotent: each call makes the guest a new machine, with the host's time within half a second. @throws AppError `guest_helper_failed`, `guest_ended` */
  abstract restore(duties: RestoreDuties, deadlineMs: number): Promise<RestoreReport>;
  /**
   * Types text, whatever the keyboard's layout, on the virtual terminal that is on its screen; at most 4096 bytes of UTF-8.
   * @throws AppError `guest_helper_failed` (with the word "graphical" where the screen is no terminal), `guest_ended`
   */
  abstract type(text: string): Promise<void>;
  /** Which characters the keys give on the screen that it shows now. @throws AppError `guest_helper_failed`, `guest_ended` */
  abstract keyboard(): Promise<GuestKeyboard>;
  /** Has the guest write to its disks what it holds in memory for them. @throws AppError `guest_helper_failed`, `guest_ended` */
  abstract sync(): Promise<void>;
}

/** A way to whoever is in a guest that was closed because the guest flooded it, and the sentence that says so. */
export interface ClosedPort {
  port: 'agent' | 'helper';
  why: string;
}

/** A running machine. What it says is a stranger's word: bounded in size and time, and fit for no decision about anything but itself. */
export abstract class Guest {
  /** Everything it printed on its first serial port, up to a cap. */
  abstract readonly serialLogPath: string;
  /** Settles once the guest is gone and nothing of it runs any more; never rejects. */
  abstract readonly ended: Promise<GuestEnd>;
  abstract readonly helper: GuestHelper;
  /** Tells of each port that is closed, or was before; it stays so as long as the guest runs, and calls that need it throw `guest_flooded`. */
  abstract onPortClosed(listener: (closed: ClosedPort) => void): void;
  /** The end of what it printed on its first serial port. */
  abstract serialText(): string;
  abstract activity(): GuestActivity;
  /** @throws AppError `guest_ended`, or the signal's reason */
  abstract waitForAgent(signal: AbortSignal): Promise<void>;
  /** @throws AppError `guest_agent_failed`, `guest_ended` */
  abstract agentVersion(): Promise<string>;
  /** Runs a program in the guest, as its root, through its agent. @throws AppError `guest_agent_failed`, `guest_ended` */
  abstract execute(path: string, args: readonly string[], options: ExecuteOptions): Promise<ExecuteResult>;
  /** A PNG of its screen. @throws AppError `screenshot_failed`, `guest_ended` */
  abstract screenshot(): Promise<Buffer>;
  /** All at once, in this order: what must not be at once (press and release) is for two calls. @throws AppError `guest_peer_failed`, `guest_ended` */
  abstract sendInput(events: readonly InputEvent[]): Promise<void>;
  /** A connection to its VNC server (RFC 6143), as many at once as are asked for. @throws AppError `guest_peer_failed`, `guest_ended` */
  abstract openScreen(): Promise<Duplex>;
  /** Sets the link of its network card up or down. @throws AppError `guest_peer_failed`, `guest_ended` */
  abstract setLink(up: boolean): Promise<void>;
  /** Presses the power button; whether it obeys shows in `ended`. @throws AppError `guest_peer_failed`, `guest_ended` */
  abstract pressPower(): Promise<void>;
  /** A point in time of its disk under this name, kept inside it (qemu-img-snapshot(1)). @throws AppError `guest_peer_failed`, `guest_ended` */
  abstract snapshotDisk(name: string): Promise<void>;
  /** Ends it at once, like pulling the plug. Safe to call again; resolves when it is gone. */
  abstract quit(): Promise<void>;
}

export abstract class Hypervisor {
  /** Found by running a guest for a moment; asked once, kept for the life of the process. @throws AppError `hypervisor_unavailable` */
  abstract acceleration(): Promise<Acceleration>;
  /** The signal is for the start only: a guest that runs is ended by `quit`. @throws AppError `hypervisor_unavailable`, or the signal's reason */
  abstract start(spec: GuestSpec, signal: AbortSignal): Promise<Guest>;
  /**
   * Everything that a saved state and a guest must agree on, as one word (hex sha256): machine type, processor model, devices and their order,
   * acceleration and the hypervisor's own version.
   */
  abstract fingerprint(shape: GuestShape): Promise<string>;
  /**
   * Unplugs the network of a guest that was started `savable`, waits a little until it is at rest, stops it, keeps memory, devices and disk in `snapshotDir`, which must not exist, and ends it. Whole or not
   * there at all.
   * @throws AppError `snapshot_failed`, `guest_ended`
   */
  abstract saveSnapshot(guest: Guest, snapshotDir: string): Promise<void>;
  /**
   * A guest that goes on where the saved one stood, its network link down. `spec.diskPath` must not exist: it becomes a copy-on-write layer over
   * the saved disk, which it keeps alive when the snapshot is removed.
   * @throws AppError `snapshot_damaged` where it is not what was saved, `hypervisor_unavailable`, or the signal's reason
   */
  abstract startFromSnapshot(snapshotDir: string, spec: GuestSpec, signal: AbortSignal): Promise<Guest>;
  /** The guest that was left running in this directory by a factory that was killed; whatever else is left of one there is ended. */
  abstract adopt(workDir: string): Promise<Guest | undefined>;
}

/** Disks of guests, which no guest uses just now. Paths are the factory's own. */
export abstract class GuestDisks {
  /** An empty qcow2 with an ext4 file system of this label, which live-boot(7) takes for its persistence (`/ union`). @throws AppError `disk_failed` */
  abstract createPersistent(
    diskPath: string,
    options: { label: string; sizeBytes: number; uidIndex?: number },
  ): Promise<void>;
  abstract listSnapshots(diskPath: string): Promise<{ name: string; createdAt: Date }[]>;
  /** @throws AppError `disk_failed` */
  abstract snapshot(diskPath: string, name: string): Promise<void>;
  /** @throws AppError `disk_failed` */
  abstract revert(diskPath: string, name: string): Promise<void>;
  /** @throws AppError `disk_failed` */
  abstract deleteSnapshot(diskPath: string, name: string): Promise<void>;
}
