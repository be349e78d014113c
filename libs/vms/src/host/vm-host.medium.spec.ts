import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { anonymousCaller, type Caller } from '#libs/platform';
import { VmFactory } from '../testing/vm-factory.js';
import { VmScreenService } from '../vm-screen.service.js';
import { VmService } from '../vm.service.js';
import { HostIdentity } from './host-identity.js';
import { VmSnapshotStore } from './vm-snapshot-store.js';
import { VmReaper } from './vm-reaper.service.js';

const ada = anonymousCaller('192.0.2.1');
const bob: Caller = { ...anonymousCaller('192.0.2.2'), kind: 'user' };
const never = new AbortController().signal;
let factory: VmFactory;
beforeAll(async () => void (factory = await VmFactory.create()));
beforeEach(() => factory.begin());
afterEach(() => factory.end());
afterAll(() => factory.dispose());

describe('the factory', () => {
  it('powers VMs down when it stops, and keeps their disks', async () => {
    const build = await factory.built(ada);
    const vm = await factory.create(ada, build, { name: 'kept' });
    factory.machines.script = { ...factory.machines.script, systemStates: ['starting'] };
    await factory.create(ada, await factory.built(ada), { name: 'booting' });
    await factory.app.close();
    expect(factory.running()).toEqual([]);
    factory.machines.script = { ...factory.machines.script, systemStates: ['running'] };
    factory.app = await factory.start();
    for (const name of ['kept', 'booting'])
      expect(await factory.get(ada, name)).toMatchObject({ state: 'stopped', reason: 'factory_stopped' });
    expect(await readdir(factory.directoryOf(vm))).toContain('disk.qcow2');
    await factory.app.get(VmService).start(ada, 'kept');
    expect(await factory.until(ada, 'kept', 'running')).toMatchObject({ restored_from_snapshot: false });
  });

  it('says of a VM that runs which port of it was closed, also after a restart, until it starts again', async () => {
    await factory.create(ada, await factory.built(ada), { name: 'loud' });
    expect(await factory.get(ada, 'loud')).toMatchObject({ state: 'running', reason: null, error: null });
    const [guest] = factory.running();
    guest!.closePort({
      port: 'helper',
      why: 'The guest helper sent more than 1000 lines that nobody asked for, and was cut off.',
    });
    const told = {
      state: 'running',
      reason: 'port_closed',
      error: {
        reason: 'guest_flooded',
        message: expect.stringContaining('1000 lines'),
        hint: expect.stringContaining('Screen, keyboard and mouse work on'),
      },
      next_step: expect.stringContaining('stop_vm and start_vm'),
    };
    for (let tries = 0; tries < 500 && (await factory.get(ada, 'loud')).reason === null; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await factory.get(ada, 'loud')).toMatchObject(told);
    const first = factory.app;
    factory.app = await factory.start();
    try {
      expect(await factory.until(ada, 'loud', 'running')).toMatchObject(told);
      await factory.app.get(VmService).stop(ada, 'loud', true);
      await factory.app.get(VmService).start(ada, 'loud');
      expect(await factory.until(ada, 'loud', 'running')).toMatchObject({ reason: null, error: null });
    } finally {
      await first.close();
    }
  });

  it('that was killed finds its VMs again, ends what it does not know, and goes on with what it had begun', async () => {
    const build = await factory.built(ada);
    const alive = await factory.create(ada, build, { name: 'alive' });
    await factory.create(ada, build, { name: 'dead' });
    const halfway = await factory.create(ada, build, { name: 'halfway' });
    await factory.app.get(VmService).stop(ada, 'halfway', true);
    const orphan = path.join(factory.dataDir, 'vms', 'machines', randomUUID());
    const template = path.join(factory.dataDir, 'vms', 'templates', 'x');
    for (const dir of [orphan, template, factory.directoryOf(halfway)]) {
      await mkdir(dir, { recursive: true });
      await factory.machines.start(
        { memoryMb: 256, vcpus: 1, firmware: 'bios', network: 'none', workDir: dir, survives: true },
        never,
      );
    }
    const guests = [...factory.machines.guests];
    const host = factory.app.get(HostIdentity).id;
    // As after a SIGKILL: a second factory starts while the first says nothing any more.
    await factory.database.query("UPDATE vm SET state = 'restoring', started_at = NULL WHERE name = 'halfway'");
    guests.find(({ spec }) => spec.workDir.endsWith(String(alive.vm_id)))!.isLinkUp = true;
    const first = factory.app;
    const dead = guests.find(({ restored }) => restored[0]?.hostname === 'dead')!;
    Object.assign(dead.spec, { survives: false });
    factory.app = await factory.start();
    try {
      expect(factory.app.get(HostIdentity).id).toBe(host);
      expect(await factory.get(ada, 'alive')).toMatchObject({ state: 'running' });
      expect((await factory.app.get(VmScreenService).screenshot(ada, 'alive')).width).toBe(640);
      expect(await factory.get(ada, 'dead')).toMatchObject({ state: 'stopped', reason: 'factory_died' });
      expect(await factory.until(ada, 'halfway', 'running')).toMatchObject({ restored_from_snapshot: true });
      expect(factory.running().filter((guest) => guest !== dead)).toHaveLength(2);
      expect(await readdir(path.join(factory.dataDir, 'vms', 'templates'))).toEqual([]);
      expect(await readdir(path.join(factory.dataDir, 'vms', 'machines'))).not.toContain(path.basename(orphan));
    } finally {
      await first.close();
    }
  });

  it('that is not heard of has lost its VMs, until it is back', async () => {
    await factory.create(ada, await factory.built(ada), { name: 'far' });
    const other = randomUUID();
    await factory.database.query("INSERT INTO vm_host (id, seen_at) VALUES ($1, now() - interval '3 minutes')", [
      other,
    ]);
    const own = factory.app.get(HostIdentity).id;
    await factory.database.query('UPDATE vm SET host = $1', [other]);
    await factory.app.get(VmReaper).beat();
    expect(await factory.get(ada, 'far')).toMatchObject({ state: 'lost', reason: 'host_lost' });
    for (const attempt of [
      () => factory.app.get(VmService).start(ada, 'far'),
      () => factory.app.get(VmService).stop(ada, 'far', true),
      () => factory.app.get(VmService).delete(ada, 'far'),
      () => factory.app.get(VmScreenService).screenshot(ada, 'far'),
    ])
      await expect(attempt()).rejects.toMatchObject({ reason: 'vm_host_elsewhere', kind: 'unavailable' });
    await factory.database.query('UPDATE vm SET host = $1', [own]);
    const first = factory.app;
    factory.app = await factory.start();
    expect(await factory.get(ada, 'far')).toMatchObject({ state: 'running', reason: null });
    await first.close();
  });
});

describe('limits', () => {
  it('hold against any number of creates at once', async () => {
    await factory.restart({ OPENFACTORY_VM_MAX_PER_CALLER: '3', OPENFACTORY_VM_MAX: '5' });
    const build = await factory.built(ada);
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => factory.create(ada, build)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const answer of answers)
      if (answer.status === 'rejected')
        expect(answer.reason).toMatchObject({ reason: 'vm_quota', message: 'You have 3 VMs, and 3 is the most.' });
    const theirs = await factory.built(bob);
    const others = await Promise.allSettled(Array.from({ length: 3 }, () => factory.create(bob, theirs)));
    expect(
      others
        .map((answer) => (answer.status === 'rejected' ? (answer.reason as { reason: string }).reason : 'ok'))
        .sort(),
    ).toEqual(['host_full', 'ok', 'ok']);
  });

  it('of anonymous callers are narrower, and never wider', async () => {
    await factory.restart({ OPENFACTORY_VM_MAX_PER_CALLER: '3', OPENFACTORY_ANONYMOUS_VMS: '2' });
    const build = await factory.built(ada);
    const theirs = await factory.built(bob);
    for (let vm = 0; vm < 2; vm++) await factory.create(ada, build);
    await expect(factory.create(ada, build)).rejects.toMatchObject({
      reason: 'vm_quota',
      message: 'You have 2 VMs, and 2 is the most.',
      hint: expect.stringContaining('API key has wider limits'),
    });
    for (let vm = 0; vm < 3; vm++) await factory.create(bob, theirs);
    await expect(factory.create(bob, theirs)).rejects.toMatchObject({
      reason: 'vm_quota',
      hint: expect.not.stringContaining('API key'),
    });
    await factory.restart({ OPENFACTORY_VM_MAX_PER_CALLER: '2', OPENFACTORY_ANONYMOUS_VMS: '50' });
    await expect(factory.create(ada, build)).rejects.toMatchObject({ reason: 'vm_quota' });
  });

  it('of anonymous callers count their disks, and the files of their builds', async () => {
    await factory.restart({ OPENFACTORY_VM_DISK_GB: '4', OPENFACTORY_ANONYMOUS_DISK_GB: '9' });
    const build = await factory.built(ada);
    await factory.create(ada, build);
    await factory.database.query('UPDATE build_artifact SET size_bytes = $2 WHERE build_id = $1', [build, 2 * 2 ** 30]);
    await expect(factory.create(ada, build)).rejects.toMatchObject({
      reason: 'disk_quota',
      message:
        'Your builds and VMs take 6.0 GiB, this would take 4.0 GiB more, and 9 GiB is the most for an anonymous caller.',
    });
    await factory.database.query('UPDATE build_artifact SET size_bytes = 5 WHERE build_id = $1', [build]);
    await factory.create(ada, build);
    const theirs = await factory.built(bob);
    for (let vm = 0; vm < 3; vm++) await factory.create(bob, theirs);
  });

  it('count what runs, at a start too', async () => {
    await factory.restart({
      OPENFACTORY_VM_MEMORY_MB: '2048',
      OPENFACTORY_VM_CPU_OVERCOMMIT: '1',
      OPENFACTORY_VM_MAX_VCPUS: '4',
    });
    const build = await factory.built(ada);
    await factory.create(ada, build, { name: 'a', vcpus: 1 });
    await factory.create(ada, build, { name: 'b', vcpus: 1 });
    await expect(factory.create(ada, build, { name: 'c', memory_mb: 256, vcpus: 1 })).rejects.toMatchObject({
      reason: 'host_full',
      message: expect.stringContaining('2048 of its 2048'),
    });
    await factory.app.get(VmService).stop(ada, 'a', true);
    await factory.create(ada, build, { name: 'c', memory_mb: 256, vcpus: 1 });
    await expect(factory.app.get(VmService).start(ada, 'a')).rejects.toMatchObject({ reason: 'host_full' });
    await expect(factory.create(ada, build, { memory_mb: 4096 })).rejects.toMatchObject({
      reason: 'invalid_arguments',
      violations: [{ path: '/memory_mb' }],
    });
    await expect(factory.create(ada, build, { vcpus: 5 })).rejects.toMatchObject({ reason: 'invalid_arguments' });
  });

  it('keep the newest snapshots of an owner, and drop them with their build', async () => {
    await factory.restart({ OPENFACTORY_VM_SNAPSHOTS_PER_CALLER: '2' });
    const builds = [await factory.built(ada), await factory.built(ada), await factory.built(ada)];
    for (const build of builds) await factory.create(ada, build);
    const store = factory.app.get(VmSnapshotStore);
    expect(await store.list()).toHaveLength(2);
    expect(await readdir(store.directory)).toHaveLength(2);
    await factory.database.query('DELETE FROM build WHERE id = $1', [builds[2]]);
    await factory.app.get(VmReaper).tidy();
    expect(await store.list()).toHaveLength(1);
    expect(await readdir(store.directory)).toHaveLength(1);
    expect(factory.running()).toHaveLength(3);
  });
});

describe('idle VMs of anonymous callers', () => {
  it('are stopped, then deleted, with notice; those of others stay', async () => {
    const vm = await factory.create(ada, await factory.built(ada), { name: 'idle' });
    const mine = await factory.create(bob, await factory.built(bob), { name: 'mine' });
    expect(vm).toMatchObject({ expires_at: expect.any(String), notice: expect.stringContaining('is stopped at') });
    expect(mine).toMatchObject({ expires_at: null, notice: null });
    await factory.database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await factory.app.get(VmScreenService).screenshot(ada, 'idle');
    await factory.app.get(VmReaper).tidy();
    expect(await factory.get(ada, 'idle')).toMatchObject({ state: 'running' });
    await factory.database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await factory.app.get(VmReaper).tidy();
    expect(await factory.get(ada, 'idle')).toMatchObject({
      state: 'stopped',
      reason: 'idle',
      notice: expect.stringContaining('is deleted at'),
    });
    await factory.database.query("UPDATE vm SET expires_at = now() - interval '1 second' WHERE name = 'idle'");
    await factory.app.get(VmReaper).tidy();
    await expect(factory.get(ada, 'idle')).rejects.toMatchObject({ reason: 'vm_not_found' });
    expect(await factory.get(bob, 'mine')).toMatchObject({ state: 'running' });
  });
});
