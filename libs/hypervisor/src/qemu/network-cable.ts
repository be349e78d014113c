import type { GuestNetwork } from '../hypervisor.port.js';
import { egressNetdev, openEgress, type EgressOptions } from './egress/egress-network.js';

/** What a guest's network card is plugged into. */
export interface NetworkCable {
  /** As `-netdev` has it, without an id. */
  netdev: Record<string, unknown>;
  /** Host socket or directory -> where QEMU sees it. */
  readOnly?: Record<string, string>;
  /** The program and arguments that bwrap is started by, to share the network that they join. Absent: QEMU has no network. */
  join?: readonly string[];
  /** For QEMU to inherit: the cable is there while somebody holds it. */
  holdFd?: number;
  /** QEMU runs, and needs nothing more of what only its start needed. */
  plugged: () => Promise<void>;
  /** Ends what runs for it. Safe to call again. */
  unplug: () => Promise<void>;
}

const nothing = () => Promise.resolve();
/** A hub with nobody else on it: packets end there (the sink of qemu-command.ts), and a saved state knows nothing of it. */
const deadEnd: NetworkCable = { netdev: { type: 'hubport', hubid: 0 }, plugged: nothing, unplug: nothing };
/** Of a guest that another factory started: what runs for it ends with it. */
export const pluggedByOthers: NetworkCable = deadEnd;

/** @throws AppError `hypervisor_unavailable`, or the signal's reason */
export async function plugCable(network: GuestNetwork, options: EgressOptions, signal: AbortSignal): Promise<NetworkCable> {
  if (network === 'none') return deadEnd;
  const { join, holdFd, resolvConf, release, close } = await openEgress(options, signal);
  return { netdev: egressNetdev, readOnly: { [resolvConf]: '/etc/resolv.conf' }, join, holdFd, plugged: release, unplug: close };
}
