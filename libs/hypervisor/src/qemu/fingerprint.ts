import { createHash } from 'node:crypto';
import type { Acceleration, GuestShape } from '../hypervisor.port.js';
import { helperProtocol } from './guest-helper-client.js';
import { guestArguments, seen } from './qemu-command.js';
import { qemuVersion, threadsOf } from './qemu-version.js';

/** The command line that a guest of this shape has, whatever its names, with the version of what reads it and of how its helper is spoken to. */
export async function fingerprint(shape: GuestShape, acceleration: Acceleration['kind']): Promise<string> {
  const version = await qemuVersion();
  const command = guestArguments({
    shape,
    acceleration,
    threads: threadsOf(version),
    name: '',
    isoDescriptor: 0,
    memory: { path: seen.ownMemory, isOwn: true },
    networkBackend: { network: shape.network },
  });
  return createHash('sha256')
    .update(JSON.stringify([version, helperProtocol, command]))
    .digest('hex');
}
