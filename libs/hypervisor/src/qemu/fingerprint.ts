import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '#libs/platform';
import type { Acceleration, GuestShape } from '../hypervisor.port.js';
import { helperProtocol } from './guest-helper-client.js';
import { guestArguments, qemuProgram, seen } from './qemu-command.js';

let known: { of: string; version: string } | undefined;

/** The command line that a guest of this shape has, whatever its names, with the version of what reads it and of how its helper is spoken to. */
export async function fingerprint(shape: GuestShape, acceleration: Acceleration['kind']): Promise<string> {
  const command = guestArguments({ shape, acceleration, name: '', isoDescriptor: 0, memory: { path: seen.ownMemory, isOwn: true }, cable: { network: shape.network } });
  return createHash('sha256').update(JSON.stringify([await qemuVersion(), helperProtocol, command])).digest('hex');
}

/** Asked again only where the program has changed: clones start in a fraction of a second. @throws ProgramError */
async function qemuVersion(): Promise<string> {
  const { mtimeMs, ino } = await stat(path.join('/usr/bin', qemuProgram));
  const of = `${ino} ${mtimeMs}`;
  if (known?.of !== of) known = { of, version: (await runProgram(qemuProgram, ['--version'], { deadlineMs: 20_000 })).stdout.split('\n')[0] ?? '' };
  return known.version;
}
