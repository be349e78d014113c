import type { GuestNetwork } from '#libs/hypervisor';

export const vmStates = ['creating', 'restoring', 'running', 'stopping', 'stopped', 'failed', 'lost'] as const;
export type VmState = (typeof vmStates)[number];

/**
 * What may follow what. `creating`: its system boots; `restoring`: it is made from a snapshot; `lost`: its host is not heard of.
 * restoring to creating: the snapshot was damaged; stopping to running: it did not obey the power button.
 */
export const transitions: Record<VmState, readonly VmState[]> = {
  creating: ['restoring', 'running', 'stopped', 'failed', 'lost'],
  restoring: ['creating', 'running', 'stopped', 'failed', 'lost'],
  running: ['stopping', 'stopped', 'failed', 'lost'],
  stopping: ['running', 'stopped', 'failed', 'lost'],
  stopped: ['creating'],
  failed: ['creating'],
  lost: ['creating', 'restoring', 'running', 'stopped', 'failed'],
};

/** The states that a state may come from: the condition of every change in the database. */
export const statesBefore = (state: VmState): VmState[] =>
  vmStates.filter((before) => transitions[before].includes(state));

/** States that take memory and processors of the host. */
export const liveStates: readonly VmState[] = ['creating', 'restoring', 'running', 'stopping', 'lost'];
export const isLive = (state: VmState): boolean => liveStates.includes(state);
export const startableStates = statesBefore('creating').filter((state) => !isLive(state));

/** Why a VM is in its state, where the state does not say it all. */
export const vmReasons = [
  'stopped_by_caller',
  'forced_off',
  'powered_off',
  'factory_stopped',
  'factory_died',
  'idle',
  'guest_died',
  'start_failed',
  'power_ignored',
  'port_closed',
  'host_lost',
] as const;
export type VmReason = (typeof vmReasons)[number];

/** Why a VM failed, or what does not work in one that runs, as the caller is told. */
export interface VmError {
  reason: string;
  message: string;
  hint: string | null;
}

/** `clone`: from a snapshot, in about a second. `cold`: its system booted from the start. */
export type BootKind = 'clone' | 'cold';

export interface Vm {
  id: string;
  ownerId: string;
  /** Of its owner's own; also its host name. */
  name: string;
  buildId: string;
  imageSha256: string;
  /** For ArtifactStore. */
  imageKey: string;
  persistenceLabel: string;
  memoryMb: number;
  vcpus: number;
  network: GuestNetwork;
  state: VmState;
  reason: VmReason | null;
  error: VmError | null;
  /** Id of the host that runs it. */
  host: string;
  /** Number of the account that its guest runs under; no two VMs of a host share one. */
  uidIndex: number;
  /** How it started last; null before it ever did. */
  boot: BootKind | null;
  createdAt: Date;
  updatedAt: Date;
  /** When it last became running; null before it ever did, when it has no disk worth keeping. */
  startedAt: Date | null;
  lastUsedAt: Date;
  /** When it is stopped, or where it is stopped deleted, unless somebody uses it; null for callers with an account. */
  expiresAt: Date | null;
}

/** A point in time of a VM's disk, made by its owner. */
export interface DiskSnapshot {
  name: string;
  createdAt: Date;
}
