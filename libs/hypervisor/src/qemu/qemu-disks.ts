import { chmod, chown, mkdir, mkdtemp, open, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppError, discardTree, type Account } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { GuestDisks } from '../hypervisor.port.js';
import { runConfined, type Confinement } from './confinement.js';
import { guestAccount } from './guest-account.js';
import { diskBinds } from './runtime-directory.js';
import { diskSize } from './qcow2-header.js';
import { guestDir, seen } from './qemu-command.js';

const deadlineMs = 120_000;
/** For the tables of the file system and of qcow2, beside the data. */
const spareBytes = 1 << 30;
/** qemu-img takes numbers for places in the list: a name begins with a letter. */
const snapshotName = /^[a-z][a-z0-9-]{0,62}$/;

/** A disk may have been written by a guest that took QEMU over: what reads it runs confined as QEMU does, under the account that owns the disk. */
@Injectable()
export class QemuDisks extends GuestDisks {
  async createPersistent(
    diskPath: string,
    { label, sizeBytes, uidIndex }: { label: string; sizeBytes: number; uidIndex?: number },
  ): Promise<void> {
    const account = await guestAccount(uidIndex);
    const dir = await mkdtemp(`${diskPath}.partial-`).catch(fail('could not be made'));
    try {
      await fillSource(dir, sizeBytes, account);
      const confinement = { writable: { [dir]: guestDir }, fileBytes: sizeBytes + spareBytes };
      // Nothing is left for the guest to do when it first mounts it, which each clone would do for itself. The files in it are root's.
      const options = [
        '-q',
        '-F',
        '-m',
        '0',
        '-L',
        label,
        '-E',
        'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0',
        '-d',
        `${guestDir}/source`,
        `${guestDir}/raw`,
      ];
      await this.#run('mkfs.ext4', options, { ...confinement, asRoot: true }, account, 'could not be made');
      await this.#run(
        'qemu-img',
        ['convert', '-f', 'raw', '-O', 'qcow2', `${guestDir}/raw`, `${guestDir}/disk`],
        confinement,
        account,
        'could not be made',
      );
      const made = path.join(dir, 'disk');
      await chmod(made, 0o600);
      await rename(made, diskPath);
    } finally {
      await discardTree(dir);
    }
  }

  async listSnapshots(diskPath: string): Promise<{ name: string; createdAt: Date }[]> {
    const { stdout } = await this.#onDisk(
      diskPath,
      ['info', '--output=json', '-f', 'qcow2', seen.disk],
      'could not be read',
    );
    const { snapshots = [] } = JSON.parse(stdout) as { snapshots?: { name: string; 'date-sec': number }[] };
    return snapshots.map(({ name, 'date-sec': seconds }) => ({
      name: String(name),
      createdAt: new Date(Number(seconds) * 1000),
    }));
  }

  async snapshot(diskPath: string, name: string): Promise<void> {
    await this.#onDisk(diskPath, ['snapshot', '-q', '-c', checked(name), seen.disk], 'could not be saved');
  }

  async revert(diskPath: string, name: string): Promise<void> {
    await this.#onDisk(diskPath, ['snapshot', '-q', '-a', checked(name), seen.disk], 'could not be taken back');
  }

  async deleteSnapshot(diskPath: string, name: string): Promise<void> {
    await this.#onDisk(diskPath, ['snapshot', '-q', '-d', checked(name), seen.disk], 'could not give up the snapshot');
  }

  async #onDisk(diskPath: string, args: string[], what: string): Promise<{ stdout: string }> {
    const { uid, gid } = await stat(diskPath).catch(fail('is not there'));
    const own = await guestAccount();
    const account = own && { uid, gid, ...(own.groups && { groups: own.groups }) };
    const places = await diskBinds(diskPath);
    const fileBytes = 8 * (await diskSize(diskPath).catch(fail('could not be read'))) + spareBytes;
    return await this.#run('qemu-img', args, { ...places, fileBytes }, account, what);
  }

  async #run(
    program: string,
    args: string[],
    confinement: Confinement,
    account: Account | undefined,
    what: string,
  ): Promise<{ stdout: string }> {
    if (account?.uid === 0)
      throw guestError('disk_failed', `The disk ${what}: it belongs to root, as no disk of a guest does.`);
    return await runConfined(
      program,
      args,
      { addressBytes: 4 * 2 ** 30, ...confinement },
      { deadlineMs, ...(account && { account }) },
    ).catch(fail(what));
  }
}

async function fillSource(dir: string, sizeBytes: number, account: Account | undefined): Promise<void> {
  const source = path.join(dir, 'source');
  await mkdir(source, { mode: 0o755 });
  const conf = path.join(source, 'persistence.conf');
  await writeFile(conf, '/ union\n', { mode: 0o644 });
  const raw = await open(path.join(dir, 'raw'), 'wx', 0o600);
  try {
    await raw.truncate(sizeBytes);
  } finally {
    await raw.close();
  }
  if (account)
    for (const file of [source, conf, path.join(dir, 'raw'), dir]) await chown(file, account.uid, account.gid);
}

function checked(name: string): string {
  if (!snapshotName.test(name))
    throw new AppError({
      kind: 'internal',
      reason: 'guest_spec_invalid',
      message: 'A snapshot of a disk has a name of small letters, digits and hyphens.',
    });
  return name;
}

const fail =
  (what: string) =>
  (error: unknown): never => {
    throw guestError('disk_failed', `The disk ${what}.`, { cause: error });
  };
