import { createHash } from 'node:crypto';
import type { GuestShape } from '#libs/hypervisor';
import type { Vm } from '../vm.js';

export const shapeOf = ({ memoryMb, vcpus, network }: Pick<Vm, 'memoryMb' | 'vcpus' | 'network'>): GuestShape => ({
  memoryMb,
  vcpus,
  network,
  firmware: 'bios',
  disk: true,
});

/** Names the saved state that this VM can be a clone of. Always of its owner: what a boot leaves in memory may be a secret of the image's owner. */
export function snapshotKey(
  { ownerId, imageSha256, persistenceLabel }: Pick<Vm, 'ownerId' | 'imageSha256' | 'persistenceLabel'>,
  fingerprint: string,
): string {
  return createHash('sha256')
    .update(JSON.stringify([ownerId, imageSha256, persistenceLabel, fingerprint]))
    .digest('hex');
}

/** Locally administered (IEEE 802, second lowest bit of the first byte), one for each VM. */
export function macOf(vmId: string): string {
  const bytes = createHash('sha256').update(`mac ${vmId}`).digest().subarray(0, 5);
  return ['52', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
