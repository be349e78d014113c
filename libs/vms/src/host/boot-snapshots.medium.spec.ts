import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BootSnapshotOffers, checkBoot, usualGuestSize, type BootReport } from '#libs/hypervisor';
import { anonymousCaller } from '#libs/platform';
import { quickTimeouts } from '../../../../test/support/fake-machines.js';
import { VmFactory } from '../testing/vm-factory.js';
import { VmSnapshotStore } from './vm-snapshot-store.js';
import { VmReaper } from './vm-reaper.service.js';

const ada = anonymousCaller('192.0.2.1');
const bob = anonymousCaller('192.0.2.2');
const never = new AbortController().signal;
const timeouts = { watchMs: 5, retryMs: 5, graceMs: 20, patience: quickTimeouts.up.patience };
const image = 'an image';
const imageSha256 = createHash('sha256').update(image).digest('hex');
const readyWith = (state: string) => ({ systemStates: [state], serial: 'localhost login: ' });

let factory: VmFactory;
let workDir: string;
beforeAll(async () => void (factory = await VmFactory.create()));
beforeEach(async () => {
  await factory.begin();
  factory.machines.script = readyWith('running');
  workDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-testing-boot-'));
  await writeFile(path.join(workDir, 'image.iso'), image);
});
afterEach(async () => {
  await factory.end();
  await rm(workDir, { recursive: true, force: true });
});
afterAll(() => factory.dispose());

const offers = () => factory.app.get(BootSnapshotOffers, { strict: false });
/** As the builds' stage does it. */
async function tested(ownerId = ada.ownerId): Promise<BootReport> {
  // The label of the builds that VmFactory makes.
  const kept = await offers().offer({
    ownerId,
    imageSha256,
    persistenceLabel: `of-${imageSha256.slice(0, 11)}`,
    ...usualGuestSize,
  });
  const check = {
    isoPath: path.join(workDir, 'image.iso'),
    firmware: 'bios' as const,
    ...usualGuestSize,
    guestChannels: { agent: false, helper: true },
    services: [],
    workDir,
    ...(kept && { kept }),
  };
  return await checkBoot(factory.machines, check, never, () => undefined, timeouts).finally(() => kept?.close());
}
const templates = () => readdir(path.join(factory.dataDir, 'vms', 'templates')).catch(() => []);
const snapshots = async () => await factory.app.get(VmSnapshotStore).list();

describe('the boot that an image is tested by', () => {
  it('is what the first VM of a new build is a clone of', async () => {
    expect(await tested()).toMatchObject({ passed: true });
    expect(await snapshots()).toHaveLength(1);
    expect(await templates()).toEqual([]);
    expect(await factory.create(ada, await factory.built(ada, image))).toMatchObject({
      state: 'running',
      restored_from_snapshot: true,
    });
    expect(factory.machines.guests.map(({ spec, isClone }) => [spec.savable ?? false, isClone])).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it('stays while its build is not completed, and goes with it then', async () => {
    // Other tests have builds of this image.
    await factory.database.query('DELETE FROM build');
    await tested();
    await factory.app.get(VmReaper).tidy();
    expect(await snapshots()).toHaveLength(1);
    await factory.built(ada, image);
    await factory.app.get(VmReaper).tidy();
    expect(await snapshots()).toHaveLength(1);
    await factory.database.query('DELETE FROM build WHERE image_sha256 = $1', [imageSha256]);
    await factory.app.get(VmReaper).tidy();
    expect(await snapshots()).toEqual([]);
  });

  it('is kept for its owner alone, and not twice', async () => {
    await tested();
    await tested();
    expect(await snapshots()).toHaveLength(1);
    expect(factory.machines.guests[1]?.spec.savable).toBeUndefined();
    await factory.create(bob, await factory.built(bob, image));
    expect(await snapshots()).toHaveLength(2);
  });

  it.each([
    ['the system is not well', () => (factory.machines.script = readyWith('degraded')), false],
    ['nothing can be saved', () => (factory.machines.saveSnapshot = () => Promise.reject(new Error('no space'))), true],
  ])('is not kept where %s, and tells of the image what it is', async (_, prepare, passed) => {
    prepare();
    expect(await tested()).toMatchObject({ passed });
    expect(await snapshots()).toEqual([]);
    expect(await templates()).toEqual([]);
    expect(factory.running()).toEqual([]);
  });

  it.each<Record<string, string>>([
    { OPENFACTORY_VM_SNAPSHOTS_PER_CALLER: '0' },
    { OPENFACTORY_VM_MIN_FREE_DISK_GB: '1000000' },
    { OPENFACTORY_ROLES: 'api' },
  ])('is not wanted with %j', async (environment) => {
    await factory.restart(environment);
    expect(await tested()).toMatchObject({ passed: true });
    expect(factory.machines.guests.map(({ spec }) => spec.savable)).toEqual([undefined]);
  });

  it('is waited for by who wants a VM of it, who boots one where it was not kept', async () => {
    const build = await factory.built(ada, image);
    const boot = {
      ownerId: ada.ownerId,
      imageSha256,
      persistenceLabel: `of-${imageSha256.slice(0, 11)}`,
      ...usualGuestSize,
    };
    const kept = await offers().offer(boot);
    expect(await offers().offer(boot)).toBeUndefined();
    const creating = factory.create(ada, build, { name: 'patient' });
    await factory.until(ada, 'patient', 'creating');
    expect(factory.machines.guests).toEqual([]);
    await kept!.close();
    await creating;
    expect(await factory.until(ada, 'patient', 'running')).toMatchObject({ restored_from_snapshot: true });
    expect(factory.machines.guests.map(({ isClone }) => isClone)).toEqual([false, true]);
  });
});
