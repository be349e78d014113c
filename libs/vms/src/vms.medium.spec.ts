import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { anonymousCaller, loadSettings, parseInput, PlatformModule, schemaOf, type Caller } from '#libs/platform';
import { ArtifactStore } from '#libs/artifacts';
import { recipeEntities } from '#libs/recipes';
import { buildEntities, BuildsModule } from '#libs/builds';
import type { FakeGuest } from '../../hypervisor/src/testing/fake-hypervisor.js';
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.js';
import { FakeBuildPipeline } from '../../../test/support/fake-build-pipeline.js';
import { FakeMachines, quickPace } from '../../../test/support/fake-machines.js';
import { HostIdentity } from './host/host-identity.js';
import { SnapshotShelf } from './host/snapshot-shelf.js';
import { VmUpkeep } from './host/vm-upkeep.service.js';
import { vmEntities, VmsModule } from './index.js';
import { VmDiskSnapshotService } from './vm-disk-snapshot.service.js';
import { VmQueryService } from './vm-query.service.js';
import { VmScreenService } from './vm-screen.service.js';
import { VmService } from './vm.service.js';
import { CreateVmInput, DeletedVm, VmDetails, VmList } from './vms.dto.js';
import { VmsTools } from './vms.tools.js';

const ada = anonymousCaller('192.0.2.1');
const bob: Caller = { ...anonymousCaller('192.0.2.2'), kind: 'user' };
const never = new AbortController().signal;
const pipeline = new FakeBuildPipeline();
let database: TestDatabase;
let dataDir: string;
let machines: FakeMachines;
let app: INestApplicationContext;

/** A factory on the same state; what an earlier one left running is there. */
async function start(environment: Record<string, string> = {}): Promise<INestApplicationContext> {
  const secret = 'x'.repeat(32);
  const { settings } = loadSettings({ OPENFACTORY_ROLES: 'api,worker', OPENFACTORY_LOG_LEVEL: 'silent', OPENFACTORY_DATA_DIR: dataDir, DATABASE_URL: database.url, OPENFACTORY_SECRET: secret, OPENFACTORY_VM_MIN_FREE_DISK_GB: '0', OPENFACTORY_VM_MEMORY_MB: '8192', OPENFACTORY_VM_MAX_VCPUS: '8', OPENFACTORY_VM_CPU_OVERCOMMIT: '64', ...environment });
  const builds = BuildsModule.forRoot({ pipeline: pipeline.module });
  const module = await Test.createTestingModule({
    imports: [PlatformModule.forRoot({ settings, databaseUrl: database.url, secret, entities: [...recipeEntities, ...buildEntities, ...vmEntities] }), builds, VmsModule.forRoot({ builds, hypervisor: machines.module, pace: quickPace })],
  }).compile();
  return await module.createNestApplication({ logger: false }).init();
}

beforeAll(async () => {
  database = await cloneDatabase();
});
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-vms-'));
  machines = await FakeMachines.create();
  app = await start();
});
afterEach(async () => {
  await app.close();
  await database.query('DELETE FROM vm');
  await rm(dataDir, { recursive: true, force: true });
});
afterAll(async () => {
  await database?.drop();
  await pipeline.dispose();
});

/** A build that is done, as a worker leaves it. */
async function built({ ownerId }: Caller, text = randomUUID()): Promise<string> {
  const id = randomUUID();
  const made = await pipeline.made('image.iso', 'application/x-iso9660-image', text);
  const { key } = await app.get(ArtifactStore, { strict: false }).put({ group: id, ...made });
  await database.query(
    "INSERT INTO build (id, owner_id, name, recipe, status, ticket, image_sha256, image_id, verified, finished_at) VALUES ($1, $2, 'web', '{}', 'completed', $1, $3, $3, true, now())",
    [id, ownerId, made.sha256],
  );
  await database.query("INSERT INTO build_artifact (id, build_id, name, media_type, size_bytes, sha256, store_key) VALUES (gen_random_uuid(), $1, 'web.iso', 'application/x-iso9660-image', $2, $3, $4)", [id, made.sizeBytes, made.sha256, key]);
  return id;
}
const create = async (caller: Caller, buildId: string, more: object = {}): Promise<VmDetails> => await app.get(VmsTools).createVm(caller, parseInput(CreateVmInput, { build_id: buildId, ...more }));
const get = (caller: Caller, name: string) => app.get(VmQueryService).get(caller, name);
const row = async (name: string) => (await database.query('SELECT * FROM vm WHERE name = $1', [name]))[0]!;
const until = async (caller: Caller, name: string, state: string): Promise<VmDetails> => {
  for (let tries = 0; tries < 2_000; tries++) {
    const vm = await get(caller, name).catch(() => undefined);
    if (vm?.state === state) return vm;
    await sleep(10);
  }
  throw new Error(`${name} did not become ${state} but is ${JSON.stringify(await get(caller, name))}`);
};
const running = (): FakeGuest[] => machines.guests.filter(({ isRunning }) => isRunning);
const directoryOf = (vm: VmDetails) => path.join(dataDir, 'vms', 'machines', vm.vm_id);

describe('a VM', () => {
  it('of an image that never ran boots once, and is a clone of that', async () => {
    const build = await built(ada);
    const vm = await create(ada, build, { name: 'first', network: 'egress' });
    expect(vm).toMatchObject({ vm_name: 'first', state: 'running', restored_from_snapshot: true, network: 'egress', memory_mb: 1024, expected_seconds: null });
    expect(machines.guests.map(({ spec, isClone, isRunning }) => [spec.savable ?? false, isClone, isRunning])).toEqual([[true, false, false], [false, true, true]]);
    const [clone] = running();
    expect(clone).toMatchObject({ isLinkUp: true, spec: { survives: true, onReset: 'restart', slot: 0, workDir: directoryOf(vm) } });
    expect(clone!.restored).toEqual([{ entropy: expect.any(Buffer), at: expect.any(Date), hostname: 'first', mac: expect.stringMatching(/^52:/), sshHostKeys: [expect.objectContaining({ type: 'ed25519' }), expect.objectContaining({ type: 'ecdsa' })] }]);
    expect(clone!.restored[0]!.entropy).toHaveLength(64);
    expect((await readdir(directoryOf(vm))).sort()).toEqual(expect.arrayContaining(['disk.qcow2', 'image.iso']));
    expect((await stat(path.join(directoryOf(vm), 'image.iso'))).nlink).toBe(2);
    const again = await create(ada, build, { network: 'egress' });
    expect(again).toMatchObject({ state: 'running', restored_from_snapshot: true, vm_name: expect.stringMatching(/^web-[0-9a-f]{6}$/) });
    expect(machines.guests).toHaveLength(3);
    expect(new Set(running().map(({ restored }) => restored[0]!.mac)).size).toBe(2);
    // Another shape is another snapshot.
    await create(ada, build);
    expect(machines.guests).toHaveLength(5);
    expect(running()[2]!.isLinkUp).toBe(false);
  });

  it('shares one boot with those of its kind that are created meanwhile', async () => {
    machines.script = { ...machines.script, systemStates: [...Array.from({ length: 20 }, () => 'starting'), 'running'] };
    const build = await built(ada);
    const vms = await Promise.all(['a', 'b', 'c'].map((name) => create(ada, build, { name })));
    for (const { vm_name } of vms) await until(ada, vm_name, 'running');
    expect(machines.guests.filter(({ spec }) => spec.savable)).toHaveLength(1);
    expect(running()).toHaveLength(3);
    expect(new Set(running().map(({ spec }) => spec.slot))).toEqual(new Set([0, 1, 2]));
  });

  it('is told how long its first boot takes, and boots again from its own disk', async () => {
    machines.script = { ...machines.script, systemStates: ['starting'] };
    const build = await built(ada);
    const slow = app.get(VmsTools).createVm(ada, parseInput(CreateVmInput, { build_id: build, name: 'slow' }));
    const vm = await slow;
    expect(vm).toMatchObject({ state: 'creating', restored_from_snapshot: null, expected_seconds: expect.any(Number), next_step: expect.stringContaining('no snapshot') });
    await app.get(VmService).delete(ada, 'slow');
    machines.script = { ...machines.script, systemStates: ['running'] };
    await create(ada, build, { name: 'disk' });
    await app.get(VmService).stop(ada, 'disk', false);
    expect(await get(ada, 'disk')).toMatchObject({ state: 'stopped', reason: 'stopped_by_caller' });
    expect(await app.get(VmsTools).startVm(ada, { vm_name: 'disk' })).toMatchObject({ state: 'running', restored_from_snapshot: false });
    expect(running()).toHaveLength(1);
    expect(running()[0]).toMatchObject({ isClone: false, spec: { diskPath: expect.stringContaining('disk.qcow2') } });
  });

  it('without a helper in its image boots by itself', async () => {
    machines.script = { ...machines.script, systemStates: undefined, agentVersion: '7.2' };
    expect(await create(ada, await built(ada), { name: 'plain' })).toMatchObject({ state: 'running', restored_from_snapshot: false });
    expect(running()).toHaveLength(1);
    expect((await app.get(SnapshotShelf).list())).toEqual([]);
  });

  it('whose snapshot was damaged boots by itself, and the snapshot is dropped', async () => {
    const build = await built(ada);
    await create(ada, build);
    const [snapshot] = await app.get(SnapshotShelf).list();
    await rm(path.join(app.get(SnapshotShelf).pathOf(snapshot!.key), 'state'));
    expect(await create(ada, build, { name: 'after' })).toMatchObject({ state: 'running', restored_from_snapshot: false });
    expect(await app.get(SnapshotShelf).list()).toEqual([]);
  });

  it('that does not come up has failed, says why, and leaves nothing running', async () => {
    machines.script = { ...machines.script, systemStates: ['starting'], serial: '[ 1.0] Kernel panic - not syncing: no init found\n' };
    const vm = await create(ada, await built(ada), { name: 'dark' });
    expect(vm).toMatchObject({ state: 'failed', reason: 'start_failed', error: { reason: 'system_not_up', message: expect.stringContaining('Kernel panic') } });
    expect(running()).toEqual([]);
    expect(await readdir(path.join(dataDir, 'vms', 'templates'))).toEqual([]);
  });
});

describe('stopping', () => {
  it('is idempotent, forced on request, and told where it is not obeyed', async () => {
    machines.script = { ...machines.script, obeysPower: false };
    await create(ada, await built(ada), { name: 'deaf' });
    const stopping = app.get(VmService).stop(ada, 'deaf', false);
    await until(ada, 'deaf', 'stopping');
    await stopping;
    expect(await until(ada, 'deaf', 'running')).toMatchObject({ reason: 'power_ignored', next_step: expect.stringContaining('force') });
    await app.get(VmService).stop(ada, 'deaf', true);
    expect(await get(ada, 'deaf')).toMatchObject({ state: 'stopped', reason: 'forced_off' });
    await app.get(VmService).stop(ada, 'deaf', true);
    expect(running()).toEqual([]);
  });

  it('ends a start', async () => {
    machines.script = { ...machines.script, systemStates: ['starting'] };
    const build = await built(ada);
    await create(ada, build, { name: 'early' });
    await app.get(VmService).stop(ada, 'early', false);
    expect(await get(ada, 'early')).toMatchObject({ state: 'stopped', reason: 'stopped_by_caller' });
    for (let tries = 0; running().length && tries < 2_000; tries++) await sleep(10);
    expect(running()).toEqual([]);
    machines.script = { ...machines.script, systemStates: ['running'] };
    await app.get(VmService).start(ada, 'early');
    expect(await until(ada, 'early', 'running')).toMatchObject({ restored_from_snapshot: true });
  });

  it('ends a restore', async () => {
    const build = await built(ada);
    await create(ada, build);
    let release: () => void = () => undefined;
    const original = machines.startFromSnapshot.bind(machines);
    machines.startFromSnapshot = async (directory, spec, signal) => {
      await new Promise<void>((resolve) => (release = resolve));
      return await original(directory, spec, signal);
    };
    const creating = create(ada, build, { name: 'half' });
    await until(ada, 'half', 'restoring');
    const stopping = app.get(VmService).stop(ada, 'half', false);
    release();
    await Promise.all([creating, stopping]);
    expect(await get(ada, 'half')).toMatchObject({ state: 'stopped', started_at: null });
    expect(running()).toHaveLength(1);
  });
});

describe('deleting', () => {
  it('during a boot ends it and leaves nothing', async () => {
    machines.script = { ...machines.script, systemStates: ['starting'] };
    const vm = await create(ada, await built(ada), { name: 'gone' });
    expect(vm.state).toBe('creating');
    await Promise.all([app.get(VmService).delete(ada, 'gone'), app.get(VmService).delete(ada, 'gone').catch(() => undefined)]);
    await expect(get(ada, 'gone')).rejects.toMatchObject({ reason: 'vm_not_found' });
    expect(await readdir(path.join(dataDir, 'vms', 'machines'))).toEqual([]);
    for (let tries = 0; running().length && tries < 2_000; tries++) await sleep(10);
    expect(running()).toEqual([]);
  });

  it('gives the name and the account to the next', async () => {
    const build = await built(ada);
    await create(ada, build, { name: 'one' });
    await create(ada, build, { name: 'two' });
    await app.get(VmService).delete(ada, 'one');
    const next = await create(ada, build, { name: 'one' });
    expect(await row(next.vm_name)).toMatchObject({ slot: 0 });
    expect(running()).toHaveLength(2);
  });
});

describe('a guest that ends', () => {
  it('is noticed, and pending calls are told', async () => {
    const build = await built(ada);
    await create(ada, build, { name: 'mortal' });
    const [guest] = running();
    const waiting = app.get(VmScreenService).interact(ada, { vm_name: 'mortal', actions: [{ type: 'wait', duration: 20 }], screenshot_after: true }, never);
    await sleep(100);
    const queued = app.get(VmScreenService).interact(ada, { vm_name: 'mortal', actions: [], screenshot_after: true }, never);
    const told = Promise.allSettled([waiting, queued]);
    await sleep(100);
    const died = Date.now();
    guest!.die({ why: 'failed', detail: 'it was killed by SIGKILL' });
    expect(await until(ada, 'mortal', 'failed')).toMatchObject({ reason: 'guest_died', error: { message: expect.stringContaining('SIGKILL'), hint: expect.stringContaining('start_vm') } });
    for (const answer of await told) expect(answer).toMatchObject({ status: 'rejected', reason: { reason: 'guest_ended' } });
    expect(Date.now() - died).toBeLessThan(15_000);
    await expect(app.get(VmScreenService).screenshot(ada, 'mortal')).rejects.toMatchObject({ reason: 'vm_not_running' });
  });

  it('by its own power-off is stopped', async () => {
    await create(ada, await built(ada), { name: 'polite' });
    running()[0]!.die({ why: 'powered_off', detail: 'it switched itself off' });
    expect(await until(ada, 'polite', 'stopped')).toMatchObject({ reason: 'powered_off', error: null });
  });
});

describe('the factory', () => {
  it('powers VMs down when it stops, and keeps their disks', async () => {
    const build = await built(ada);
    const vm = await create(ada, build, { name: 'kept' });
    machines.script = { ...machines.script, systemStates: ['starting'] };
    await create(ada, await built(ada), { name: 'booting' });
    await app.close();
    expect(running()).toEqual([]);
    machines.script = { ...machines.script, systemStates: ['running'] };
    app = await start();
    for (const name of ['kept', 'booting']) expect(await get(ada, name)).toMatchObject({ state: 'stopped', reason: 'factory_stopped' });
    expect(await readdir(directoryOf(vm))).toContain('disk.qcow2');
    await app.get(VmService).start(ada, 'kept');
    expect(await until(ada, 'kept', 'running')).toMatchObject({ restored_from_snapshot: false });
  });

  it('that was killed finds its VMs again, ends what it does not know, and goes on with what it had begun', async () => {
    const build = await built(ada);
    const alive = await create(ada, build, { name: 'alive' });
    await create(ada, build, { name: 'dead' });
    const halfway = await create(ada, build, { name: 'halfway' });
    await app.get(VmService).stop(ada, 'halfway', true);
    const orphan = path.join(dataDir, 'vms', 'machines', randomUUID());
    const template = path.join(dataDir, 'vms', 'templates', 'x');
    for (const dir of [orphan, template, directoryOf(halfway)]) {
      await mkdir(dir, { recursive: true });
      await machines.start({ memoryMb: 256, vcpus: 1, firmware: 'bios', network: 'none', workDir: dir, survives: true }, never);
    }
    const guests = [...machines.guests];
    const host = app.get(HostIdentity).id;
    // As after a SIGKILL: a second factory starts while the first says nothing any more.
    await database.query("UPDATE vm SET state = 'restoring', started_at = NULL WHERE name = 'halfway'");
    guests.find(({ spec }) => spec.workDir.endsWith(String(alive.vm_id)))!.isLinkUp = true;
    const first = app;
    const dead = guests.find(({ restored }) => restored[0]?.hostname === 'dead')!;
    Object.assign(dead.spec, { survives: false });
    app = await start();
    try {
      expect(app.get(HostIdentity).id).toBe(host);
      expect(await get(ada, 'alive')).toMatchObject({ state: 'running' });
      expect((await app.get(VmScreenService).screenshot(ada, 'alive')).width).toBe(640);
      expect(await get(ada, 'dead')).toMatchObject({ state: 'stopped', reason: 'factory_died' });
      expect(await until(ada, 'halfway', 'running')).toMatchObject({ restored_from_snapshot: true });
      expect(running().filter((guest) => guest !== dead)).toHaveLength(2);
      expect(await readdir(path.join(dataDir, 'vms', 'templates'))).toEqual([]);
      expect(await readdir(path.join(dataDir, 'vms', 'machines'))).not.toContain(path.basename(orphan));
    } finally {
      await first.close();
    }
  });

  it('that is not heard of has lost its VMs, until it is back', async () => {
    await create(ada, await built(ada), { name: 'far' });
    const other = randomUUID();
    await database.query("INSERT INTO vm_host (id, seen_at) VALUES ($1, now() - interval '3 minutes')", [other]);
    const own = app.get(HostIdentity).id;
    await database.query('UPDATE vm SET host = $1', [other]);
    await app.get(VmUpkeep).beat();
    expect(await get(ada, 'far')).toMatchObject({ state: 'lost', reason: 'host_lost' });
    for (const attempt of [() => app.get(VmService).start(ada, 'far'), () => app.get(VmService).stop(ada, 'far', true), () => app.get(VmService).delete(ada, 'far'), () => app.get(VmScreenService).screenshot(ada, 'far')]) await expect(attempt()).rejects.toMatchObject({ reason: 'vm_host_elsewhere', kind: 'unavailable' });
    await database.query('UPDATE vm SET host = $1', [own]);
    const first = app;
    app = await start();
    expect(await get(ada, 'far')).toMatchObject({ state: 'running', reason: null });
    await first.close();
  });
});

describe('limits', () => {
  it('hold against any number of creates at once', async () => {
    await app.close();
    app = await start({ OPENFACTORY_VM_MAX_PER_CALLER: '3', OPENFACTORY_VM_MAX: '5' });
    const build = await built(ada);
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => create(ada, build)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ reason: 'vm_quota', message: 'You have 3 VMs, and 3 is the most.' });
    const theirs = await built(bob);
    const others = await Promise.allSettled(Array.from({ length: 3 }, () => create(bob, theirs)));
    expect(others.map((answer) => (answer.status === 'rejected' ? (answer.reason as { reason: string }).reason : 'ok')).sort()).toEqual(['host_full', 'ok', 'ok']);
  });

  it('count what runs, at a start too', async () => {
    await app.close();
    app = await start({ OPENFACTORY_VM_MEMORY_MB: '2048', OPENFACTORY_VM_CPU_OVERCOMMIT: '1', OPENFACTORY_VM_MAX_VCPUS: '4' });
    const build = await built(ada);
    await create(ada, build, { name: 'a', vcpus: 1 });
    await create(ada, build, { name: 'b', vcpus: 1 });
    await expect(create(ada, build, { name: 'c', memory_mb: 256, vcpus: 1 })).rejects.toMatchObject({ reason: 'host_full', message: expect.stringContaining('2048 of its 2048') });
    await app.get(VmService).stop(ada, 'a', true);
    await create(ada, build, { name: 'c', memory_mb: 256, vcpus: 1 });
    await expect(app.get(VmService).start(ada, 'a')).rejects.toMatchObject({ reason: 'host_full' });
    await expect(create(ada, build, { memory_mb: 4096 })).rejects.toMatchObject({ reason: 'invalid_arguments', violations: [{ path: '/memory_mb' }] });
    await expect(create(ada, build, { vcpus: 5 })).rejects.toMatchObject({ reason: 'invalid_arguments' });
  });

  it('keep the newest snapshots of an owner, and drop them with their build', async () => {
    await app.close();
    app = await start({ OPENFACTORY_VM_SNAPSHOTS_PER_CALLER: '2' });
    const builds = [await built(ada), await built(ada), await built(ada)];
    for (const build of builds) await create(ada, build);
    const shelf = app.get(SnapshotShelf);
    expect(await shelf.list()).toHaveLength(2);
    expect(await readdir(shelf.directory)).toHaveLength(2);
    await database.query('DELETE FROM build WHERE id = $1', [builds[2]]);
    await app.get(VmUpkeep).tidy();
    expect(await shelf.list()).toHaveLength(1);
    expect(await readdir(shelf.directory)).toHaveLength(1);
    expect(running()).toHaveLength(3);
  });
});

describe('idle VMs of anonymous callers', () => {
  it('are stopped, then deleted, with notice; those of others stay', async () => {
    const vm = await create(ada, await built(ada), { name: 'idle' });
    const mine = await create(bob, await built(bob), { name: 'mine' });
    expect(vm).toMatchObject({ expires_at: expect.any(String), notice: expect.stringContaining('is stopped at') });
    expect(mine).toMatchObject({ expires_at: null, notice: null });
    await database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await app.get(VmScreenService).screenshot(ada, 'idle');
    await app.get(VmUpkeep).tidy();
    expect(await get(ada, 'idle')).toMatchObject({ state: 'running' });
    await database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await app.get(VmUpkeep).tidy();
    expect(await get(ada, 'idle')).toMatchObject({ state: 'stopped', reason: 'idle', notice: expect.stringContaining('is deleted at') });
    await database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await app.get(VmUpkeep).tidy();
    await expect(get(ada, 'idle')).rejects.toMatchObject({ reason: 'vm_not_found' });
    expect(await get(bob, 'mine')).toMatchObject({ state: 'running' });
  });
});

describe('snapshots of a disk', () => {
  it('are made of running VMs, and restored and deleted of stopped ones', async () => {
    await create(ada, await built(ada), { name: 'db' });
    const snapshots = app.get(VmDiskSnapshotService);
    expect(await snapshots.create(ada, 'db', 'before')).toEqual({ name: 'before', created_at: expect.any(String) });
    await expect(snapshots.create(ada, 'db', 'before')).rejects.toMatchObject({ reason: 'vm_snapshot_exists' });
    await expect(snapshots.restore(ada, 'db', 'before')).rejects.toMatchObject({ reason: 'vm_not_stopped' });
    await app.get(VmService).stop(ada, 'db', true);
    await snapshots.create(ada, 'db', 'after');
    expect((await snapshots.list(ada, 'db')).snapshots.map(({ name }) => name)).toEqual(['before', 'after']);
    await snapshots.restore(ada, 'db', 'before');
    await snapshots.delete(ada, 'db', 'before');
    await expect(snapshots.restore(ada, 'db', 'before')).rejects.toMatchObject({ reason: 'vm_snapshot_not_found' });
    await expect(snapshots.list(bob, 'db')).rejects.toMatchObject({ reason: 'vm_not_found' });
  });
});

it('the tools answer in the shape that they publish', async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const misfit = (dto: Parameters<typeof schemaOf>[0], value: unknown) => {
    const fits = ajv.compile(schemaOf(dto));
    fits(JSON.parse(JSON.stringify(value)));
    return fits.errors ?? [];
  };
  const tools = app.get(VmsTools);
  const build = await built(ada);
  expect(misfit(VmDetails, await create(ada, build, { name: 'shape' }))).toEqual([]);
  machines.script = { ...machines.script, serial: '[ 1.0] Kernel panic - not syncing: x\n', systemStates: ['starting'] };
  expect(misfit(VmDetails, await create(ada, await built(ada), { name: 'misshapen' }))).toEqual([]);
  expect(misfit(VmDetails, await tools.stopVm(ada, { vm_name: 'shape', force: false }))).toEqual([]);
  expect(misfit(VmList, await tools.listVms(ada, {}))).toEqual([]);
  expect(misfit(DeletedVm, await tools.deleteVm(ada, { vm_name: 'shape' }))).toEqual([]);
});
