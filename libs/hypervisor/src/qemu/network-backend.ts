import type { GuestNetwork } from '../hypervisor.port.js';
import { egressNetdev, openEgress, type EgressOptions } from './egress/egress-network.js';

/** What a guest's network card is plugged into. */
export interface NetworkBackend {
  /** As `-netdev` has it, without an id. */
  netdev: Record<string, unknown>;
  /** Host socket or directory -> where QEMU sees it. */
  readOnly?: Record<string, string>;
  /** The program and arguments that bwrap is started by, to share the network that they join. Absent: QEMU has no network. */
  join?: readonly string[];
  /** For QEMU to inherit: the network is there while somebody holds it. */
  holdFd?: number;
  /** QEMU runs, and needs nothing more of what only its start needed. */
  ready: () => Promise<void>;
  /** Ends what runs for it. Safe to call again. */
  close: () => Promise<void>;
}

const nothing = () => Promise.resolve();
/** A hub with nobody else on it: packets end there (the sink of qemu-command.ts), and a saved state knows nothing of it. */
const noNetwork: NetworkBackend = { netdev: { type: 'hubport', hubid: 0 }, ready: nothing, close: nothing };
/** Of a guest that another factory started: what runs for it ends with it. */
export const openedByOthers: NetworkBackend = noNetwork;

/** @throws AppError `hypervisor_unavailable`, or the signal's reason */
export async function openNetworkBackend(
  network: GuestNetwork,
  options: EgressOptions,
  signal: AbortSignal,
): Promise<NetworkBackend> {
  if (network === 'none') return noNetwork;
  const { join, holdFd, resolvConf, release, close } = await openEgress(options, signal);
  return {
    netdev: egressNetdev,
    readOnly: { [resolvConf]: '/etc/resolv.conf' },
    join,
    holdFd,
    ready: release,
    close: close,
  };
}
