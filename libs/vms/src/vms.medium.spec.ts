import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { anonymousCaller, parseInput, schemaOf, Settings, type Caller } from '#libs/platform';
import { VmSnapshotStore } from './host/vm-snapshot-store.js';
import { VmFactory } from './testing/vm-factory.js';
import { VmDiskSnapshotService } from './vm-disk-snapshot.service.js';
import { VmScreenService } from './vm-screen.service.js';
import { VmService } from './vm.service.js';
import { CreateVmInput, DeletedVm, VmDetails, VmList } from './vms.dto.js';
import { VmsTools } from './vms.tools.js';

const ada = anonymousCaller('192.0.2.1');
const bob: Caller = { ...anonymousCaller('192.0.2.2'), kind: 'user' };
const never = new AbortController().signal;
let factory: VmFactory;
beforeAll(async () => void (factory = await VmFactory.create()));
beforeEach(() => factory.begin());
afterEach(() => factory.end());
afterAll(() => factory.dispose());

describe('a VM', () => {
  it('of an image that never ran boots once, and is a clone of that', async () => {
    const build = await factory.built(ada);
    const vm = await factory.create(ada, build, { name: 'first', network: 'egress' });
    expect(vm).toMatchObject({
      vm_name: 'first',
      state: 'running',
      restored_from_snapshot: true,
      network: 'egress',
      memory_mb: 1024,
      expected_seconds: null,
    });
    expect(
      factory.machines.guests.map(({ spec, isClone, isRunning }) => [spec.savable ?? false, isClone, isRunning]),
    ).toEqual([
      [true, false, false],
      [false, true, true],
    ]);
    const [clone] = factory.running();
    expect(clone).toMatchObject({
      isLinkUp: true,
      spec: { survives: true, onReset: 'restart', uidIndex: 0, workDir: factory.directoryOf(vm) },
    });
    expect(clone!.restored).toEqual([
      {
        entropy: expect.any(Buffer),
        hostname: 'first',
        mac: expect.stringMatching(/^52:/),
        linkUp: true,
        sshHostKeys: [expect.objectContaining({ type: 'ed25519' }), expect.objectContaining({ type: 'ecdsa' })],
      },
    ]);
    expect(clone!.restored[0]!.entropy).toHaveLength(64);
    expect((await readdir(factory.directoryOf(vm))).sort()).toEqual(
      expect.arrayContaining(['disk.qcow2', 'image.iso']),
    );
    expect((await stat(path.join(factory.directoryOf(vm), 'image.iso'))).nlink).toBe(2);
    const again = await factory.create(ada, build, { network: 'egress' });
    expect(again).toMatchObject({
      state: 'running',
      restored_from_snapshot: true,
      vm_name: expect.stringMatching(/^web-[0-9a-f]{6}$/),
    });
    expect(factory.machines.guests).toHaveLength(3);
    expect(new Set(factory.running().map(({ restored }) => restored[0]!.mac)).size).toBe(2);
    // Another shape is another snapshot.
    await factory.create(ada, build);
    expect(factory.machines.guests).toHaveLength(5);
    expect(factory.running()[2]!.isLinkUp).toBe(false);
  });

  it('shares one boot with those of its kind that are created meanwhile', async () => {
    factory.machines.script = {
      ...factory.machines.script,
      systemStates: [...Array.from({ length: 20 }, () => 'starting'), 'running'],
    };
    const build = await factory.built(ada);
    const vms = await Promise.all(['a', 'b', 'c'].map((name) => factory.create(ada, build, { name })));
    for (const { vm_name } of vms) await factory.until(ada, vm_name, 'running');
    expect(factory.machines.guests.filter(({ spec }) => spec.savable)).toHaveLength(1);
    expect(factory.running()).toHaveLength(3);
    expect(new Set(factory.running().map(({ spec }) => spec.uidIndex))).toEqual(new Set([0, 1, 2]));
  });

  it('is told how long its first boot takes, and boots again from its own disk', async () => {
    factory.machines.script = { ...factory.machines.script, systemStates: ['starting'] };
    const build = await factory.built(ada);
    const slow = factory.app.get(VmsTools).createVm(ada, parseInput(CreateVmInput, { build_id: build, name: 'slow' }));
    const vm = await slow;
    expect(vm).toMatchObject({
      state: 'creating',
      restored_from_snapshot: null,
      expected_seconds: expect.any(Number),
      next_step: expect.stringContaining('no snapshot'),
    });
    await factory.app.get(VmService).delete(ada, 'slow');
    factory.machines.script = { ...factory.machines.script, systemStates: ['running'] };
    await factory.create(ada, build, { name: 'disk' });
    await factory.app.get(VmService).stop(ada, 'disk', false);
    expect(await factory.get(ada, 'disk')).toMatchObject({ state: 'stopped', reason: 'stopped_by_caller' });
    expect(await factory.app.get(VmsTools).startVm(ada, { vm_name: 'disk' })).toMatchObject({
      state: 'running',
      restored_from_snapshot: false,
    });
    expect(factory.running()).toHaveLength(1);
    expect(factory.running()[0]).toMatchObject({
      isClone: false,
      spec: { diskPath: expect.stringContaining('disk.qcow2') },
    });
  });

  it('whose helper was late boots by itself, and the next one is asked anew', async () => {
    factory.machines.script = {
      ...factory.machines.script,
      systemStates: undefined,
      agentVersion: '7.2',
      answers: { '*': { stdout: 'LoadState=loaded\nActiveState=active\n' } },
    };
    const build = await factory.built(ada);
    await factory.create(ada, build, { name: 'one' });
    expect(await factory.until(ada, 'one', 'running')).toMatchObject({ restored_from_snapshot: false });
    factory.machines.script = { ...factory.machines.script, systemStates: ['running'] };
    await factory.create(ada, build, { name: 'two' });
    expect(await factory.until(ada, 'two', 'running')).toMatchObject({ restored_from_snapshot: true });
  });

  it('without an agent by the lock of its image is no clone of anything, and no boot is spent on finding out', async () => {
    factory.machines.script = {
      ...factory.machines.script,
      systemStates: undefined,
      serial: 'Debian GNU/Linux 12 web ttyS0\n\nweb login: ',
    };
    await factory.create(
      ada,
      await factory.built(ada, 'an image without an agent', {
        base: [{ name: 'perl-base' }],
        added: [],
        requested: ['htop'],
      }),
      { name: 'closed' },
    );
    expect(await factory.until(ada, 'closed', 'running')).toMatchObject({ restored_from_snapshot: false });
    expect(factory.machines.guests).toHaveLength(1);
  });

  it('without a helper in its image boots by itself', async () => {
    factory.machines.script = {
      ...factory.machines.script,
      systemStates: undefined,
      agentVersion: '7.2',
      answers: { '*': { stdout: 'LoadState=not-found\nActiveState=inactive\n' } },
    };
    expect(await factory.create(ada, await factory.built(ada), { name: 'plain' })).toMatchObject({
      state: 'running',
      restored_from_snapshot: false,
    });
    expect(factory.running()).toHaveLength(1);
    expect(await factory.app.get(VmSnapshotStore).list()).toEqual([]);
  });

  it('whose snapshot was damaged boots by itself, and the snapshot is dropped', async () => {
    const build = await factory.built(ada);
    await factory.create(ada, build);
    const [snapshot] = await factory.app.get(VmSnapshotStore).list();
    await rm(path.join(factory.app.get(VmSnapshotStore).pathOf(snapshot!.key), 'state'));
    expect(await factory.create(ada, build, { name: 'after' })).toMatchObject({
      state: 'running',
      restored_from_snapshot: false,
    });
    expect(await factory.app.get(VmSnapshotStore).list()).toEqual([]);
  });

  it('that does not come up has failed, says why, and leaves nothing running', async () => {
    factory.machines.script = {
      ...factory.machines.script,
      systemStates: ['starting'],
      serial: '[ 1.0] Kernel panic - not syncing: no init found\n',
    };
    const vm = await factory.create(ada, await factory.built(ada), { name: 'dark' });
    expect(vm).toMatchObject({
      state: 'failed',
      reason: 'start_failed',
      error: { reason: 'system_not_up', message: expect.stringContaining('Kernel panic') },
    });
    expect(factory.running()).toEqual([]);
    expect(await readdir(path.join(factory.dataDir, 'vms', 'templates'))).toEqual([]);
  });
});

describe('stopping', () => {
  it('is idempotent, forced on request, and told where it is not obeyed', async () => {
    factory.machines.script = { ...factory.machines.script, obeysPower: false };
    await factory.create(ada, await factory.built(ada), { name: 'deaf' });
    const stopping = factory.app.get(VmService).stop(ada, 'deaf', false);
    await factory.until(ada, 'deaf', 'stopping');
    await stopping;
    expect(await factory.until(ada, 'deaf', 'running')).toMatchObject({
      reason: 'power_ignored',
      next_step: expect.stringContaining('force'),
    });
    await factory.app.get(VmService).stop(ada, 'deaf', true);
    expect(await factory.get(ada, 'deaf')).toMatchObject({ state: 'stopped', reason: 'forced_off' });
    await factory.app.get(VmService).stop(ada, 'deaf', true);
    expect(factory.running()).toEqual([]);
  });

  it('ends a start', async () => {
    factory.machines.script = { ...factory.machines.script, systemStates: ['starting'] };
    const build = await factory.built(ada);
    await factory.create(ada, build, { name: 'early' });
    await factory.app.get(VmService).stop(ada, 'early', false);
    expect(await factory.get(ada, 'early')).toMatchObject({ state: 'stopped', reason: 'stopped_by_caller' });
    for (let tries = 0; factory.running().length && tries < 2_000; tries++) await sleep(10);
    expect(factory.running()).toEqual([]);
    factory.machines.script = { ...factory.machines.script, systemStates: ['running'] };
    await factory.app.get(VmService).start(ada, 'early');
    expect(await factory.until(ada, 'early', 'running')).toMatchObject({ restored_from_snapshot: true });
  });

  it('ends a restore', async () => {
    const build = await factory.built(ada);
    await factory.create(ada, build);
    let release: () => void = () => undefined;
    let enter: () => void = () => undefined;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const original = factory.machines.startFromSnapshot.bind(factory.machines);
    factory.machines.startFromSnapshot = async (directory, spec, signal) => {
      enter();
      await new Promise<void>((resolve) => (release = resolve));
      return await original(directory, spec, signal);
    };
    const creating = factory.create(ada, build, { name: 'half' });
    await entered;
    expect(await factory.get(ada, 'half')).toMatchObject({ state: 'restoring' });
    const stopping = factory.app.get(VmService).stop(ada, 'half', false);
    release();
    await Promise.all([creating, stopping]);
    expect(await factory.get(ada, 'half')).toMatchObject({ state: 'stopped', started_at: null });
    expect(factory.running()).toHaveLength(1);
  });
});

describe('deleting', () => {
  it('during a boot ends it and leaves nothing', async () => {
    factory.machines.script = { ...factory.machines.script, systemStates: ['starting'] };
    const vm = await factory.create(ada, await factory.built(ada), { name: 'gone' });
    expect(vm.state).toBe('creating');
    await Promise.all([
      factory.app.get(VmService).delete(ada, 'gone'),
      factory.app
        .get(VmService)
        .delete(ada, 'gone')
        .catch(() => undefined),
    ]);
    await expect(factory.get(ada, 'gone')).rejects.toMatchObject({ reason: 'vm_not_found' });
    expect(await readdir(path.join(factory.dataDir, 'vms', 'machines'))).toEqual([]);
    for (let tries = 0; factory.running().length && tries < 2_000; tries++) await sleep(10);
    expect(factory.running()).toEqual([]);
  });

  it('gives the name and the account to the next', async () => {
    const build = await factory.built(ada);
    await factory.create(ada, build, { name: 'one' });
    await factory.create(ada, build, { name: 'two' });
    await factory.app.get(VmService).delete(ada, 'one');
    const next = await factory.create(ada, build, { name: 'one' });
    expect((await factory.database.query('SELECT uid_index FROM vm WHERE name = $1', [next.vm_name]))[0]).toMatchObject(
      { uid_index: 0 },
    );
    expect(factory.running()).toHaveLength(2);
  });
});

describe('a guest that ends', () => {
  it('is noticed, and pending calls are told', async () => {
    const build = await factory.built(ada);
    await factory.create(ada, build, { name: 'mortal' });
    const [guest] = factory.running();
    const waiting = factory.app
      .get(VmScreenService)
      .interact(ada, { vm_name: 'mortal', actions: [{ type: 'wait', duration: 20 }], screenshot_after: true }, never);
    await sleep(100);
    const queued = factory.app
      .get(VmScreenService)
      .interact(ada, { vm_name: 'mortal', actions: [], screenshot_after: true }, never);
    const told = Promise.allSettled([waiting, queued]);
    await sleep(100);
    const died = Date.now();
    guest!.die({ why: 'failed', detail: 'it was killed by SIGKILL' });
    expect(await factory.until(ada, 'mortal', 'failed')).toMatchObject({
      reason: 'guest_died',
      error: { message: expect.stringContaining('SIGKILL'), hint: expect.stringContaining('start_vm') },
    });
    for (const answer of await told)
      expect(answer).toMatchObject({ status: 'rejected', reason: { reason: 'guest_ended' } });
    expect(Date.now() - died).toBeLessThan(15_000);
    await expect(factory.app.get(VmScreenService).screenshot(ada, 'mortal')).rejects.toMatchObject({
      reason: 'vm_not_running',
    });
  });

  it('by its own power-off is stopped', async () => {
    await factory.create(ada, await factory.built(ada), { name: 'polite' });
    factory.running()[0]!.die({ why: 'powered_off', detail: 'it switched itself off' });
    expect(await factory.until(ada, 'polite', 'stopped')).toMatchObject({ reason: 'powered_off', error: null });
  });
});

describe('snapshots of a disk', () => {
  it('count what their disk may take, as VMs do', async () => {
    await factory.create(ada, await factory.built(ada), { name: 'db' });
    const snapshots = factory.app.get(VmDiskSnapshotService);
    const { anonymousDiskGb, vmDiskGb } = factory.app.get(Settings);
    const most = Math.floor(anonymousDiskGb / vmDiskGb) - 1;
    for (let made = 0; made < most; made++) await snapshots.create(ada, 'db', `s${made}`);
    await expect(snapshots.create(ada, 'db', 'one-more')).rejects.toMatchObject({ reason: 'disk_quota' });
  });

  it('are made of running VMs, and restored and deleted of stopped ones', async () => {
    await factory.create(ada, await factory.built(ada), { name: 'db' });
    const snapshots = factory.app.get(VmDiskSnapshotService);
    expect(await snapshots.create(ada, 'db', 'before')).toEqual({ name: 'before', created_at: expect.any(String) });
    await expect(snapshots.create(ada, 'db', 'before')).rejects.toMatchObject({ reason: 'vm_snapshot_exists' });
    await expect(snapshots.restore(ada, 'db', 'before')).rejects.toMatchObject({ reason: 'vm_not_stopped' });
    await factory.app.get(VmService).stop(ada, 'db', true);
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
  const tools = factory.app.get(VmsTools);
  const build = await factory.built(ada);
  expect(misfit(VmDetails, await factory.create(ada, build, { name: 'shape' }))).toEqual([]);
  factory.machines.script = {
    ...factory.machines.script,
    serial: '[ 1.0] Kernel panic - not syncing: x\n',
    systemStates: ['starting'],
  };
  expect(misfit(VmDetails, await factory.create(ada, await factory.built(ada), { name: 'misshapen' }))).toEqual([]);
  expect(misfit(VmDetails, await tools.stopVm(ada, { vm_name: 'shape', force: false }))).toEqual([]);
  expect(misfit(VmList, await tools.listVms(ada, {}))).toEqual([]);
  expect(misfit(DeletedVm, await tools.deleteVm(ada, { vm_name: 'shape' }))).toEqual([]);
});
