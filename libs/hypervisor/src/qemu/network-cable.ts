import { guestError } from '../guest-error.js';
import type { GuestNetwork } from '../hypervisor.port.js';

/** What a guest's network card is plugged into. */
export interface NetworkCable {
  /** As `-netdev` has it, without an id. */
  netdev: Record<string, unknown>;
  /** Host socket or directory -> where QEMU sees it. */
  readOnly?: Record<string, string>;
  /** Ends what runs for it. Safe to call again. */
  unplug: () => Promise<void>;
}

/** A hub with nothing else on it: packets end there, and a saved state knows nothing of it. */
const deadEnd: NetworkCable = { netdev: { type: 'hubport', hubid: 0 }, unplug: () => Promise.resolve() };

/** @throws AppError `hypervisor_unavailable` */
export function plugCable(network: GuestNetwork): Promise<NetworkCable> {
  if (network === 'none') return Promise.resolve(deadEnd);
  return Promise.reject(guestError('hypervisor_unavailable', 'This factory has no network for its guests yet.'));
}
