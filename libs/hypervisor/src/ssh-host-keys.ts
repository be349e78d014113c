import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from '#libs/platform';
import type { SshHostKey } from './hypervisor.port.js';

const types = ['ed25519', 'ecdsa'] as const;

/** Host keys for one clone, by ssh-keygen(1) of this host: under emulation a guest would take seconds for them. */
export async function makeSshHostKeys(hostname: string): Promise<SshHostKey[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-keys-'));
  try {
    return await Promise.all(types.map((type) => makeKey(type, path.join(dir, type), hostname)));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function makeKey(type: SshHostKey['type'], file: string, hostname: string): Promise<SshHostKey> {
  await runProgram('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `root@${hostname}`, '-f', file], {
    deadlineMs: 60_000,
  });
  const [privateKey, publicKey] = await Promise.all([readFile(file, 'utf8'), readFile(`${file}.pub`, 'utf8')]);
  return { type, privateKey, publicKey };
}
