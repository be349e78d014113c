import type { HostLoad } from '#libs/platform';
import type { BootSnapshot } from './boot-snapshot-offers.js';
import type { GuestPatience } from './guest-patience.js';
import type { GuestSpec } from './hypervisor.port.js';

/** Who in an image can tell how its system is. */
export interface GuestChannels {
  agent: boolean;
  helper: boolean;
}

export interface BootCheck {
  isoPath: string;
  firmware: GuestSpec['firmware'];
  memoryMb: number;
  vcpus: number;
  guestChannels: GuestChannels;
  /** systemd units that must be active; asked of the agent, so not looked at in an image without one. */
  services: readonly string[];
  /** Units that may take only so long because their owner said so: that they were too slow is a fact. */
  bounded?: readonly string[];
  workDir: string;
  /** For a boot whose state is kept if it passes and the helper spoke; a guest without a helper could never become a machine of its own. */
  kept?: BootSnapshot;
}

/** Pauses between looks, and how long is waited; tests shorten them. */
export interface Timeouts {
  watchMs: number;
  retryMs: number;
  /** How much host time after the system says that it is up its services and the login prompt may still take; at least half of what the boot took. */
  graceMs: number;
  patience: GuestPatience;
  host?: HostLoad;
}
