import { AppError } from '#libs/platform';

type Reason =
  | 'hypervisor_unavailable'
  | 'guest_ended'
  | 'guest_agent_failed'
  | 'guest_helper_failed'
  | 'screenshot_failed'
  | 'guest_peer_failed'
  | 'guest_flooded'
  | 'snapshot_failed'
  | 'snapshot_damaged'
  | 'disk_failed';

/** A guest, or what runs it, failed: never the caller's mistake, and worth another try. */
export function guestError(reason: Reason, message: string, more: { hint?: string; cause?: unknown } = {}): AppError {
  return new AppError({ kind: 'unavailable', reason, message, ...more });
}
