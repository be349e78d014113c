import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Guest, GuestDisks, GuestSpec, Hypervisor } from '../hypervisor.port.js';

export interface HypervisorFixture {
  hypervisor: Hypervisor;
  disks: GuestDisks;
  /** A guest that prints `serialWords` and then does nothing for ever; it has no agent and no helper. */
  spec: () => Promise<GuestSpec>;
  serialWords: string;
}

/** What every Hypervisor does; run over the fake and over each adapter. */
export function hypervisorContract(name: string, prepare: () => Promise<HypervisorFixture>): void {
  describe(`${name}, by the contract of Hypervisor`, () => {
    const started: Guest[] = [];
    const start = async (more: Partial<GuestSpec> = {}, signal = new AbortController().signal) => {
      const fixture = await prepare();
      const guest = await fixture.hypervisor.start({ ...(await fixture.spec()), ...more }, signal);
      started.push(guest);
      return { guest, ...fixture };
    };
    afterEach(() => Promise.all(started.splice(0).map((guest) => guest.quit())));

    it('says what guests run on, and how that is known', async () => {
      const { hypervisor } = await prepare();
      const found = await hypervisor.acceleration();
      expect(['kvm', 'tcg']).toContain(found.kind);
      expect(found.why).not.toBe('');
      expect(await hypervisor.acceleration()).toEqual(found);
    });

    it('keeps what a guest prints, and pictures its screen', async () => {
      const { guest, serialWords } = await start();
      for (let tries = 0; tries < 300 && !guest.serialText().includes(serialWords); tries++)
        await new Promise((resolve) => setTimeout(resolve, 100));
      expect(guest.serialText()).toContain(serialWords);
      expect(await readFile(guest.serialLogPath, 'utf8')).toContain(serialWords);
      expect((await guest.screenshot()).subarray(1, 4).toString()).toBe('PNG');
    });

    it('ends a guest once, however often it is told', async () => {
      const { guest } = await start();
      await Promise.all([guest.quit(), guest.quit()]);
      await guest.quit();
      expect(await guest.ended).toMatchObject({ why: 'quit' });
    });

    it('fails every call on a guest that is gone, for that reason', async () => {
      const { guest } = await start();
      await guest.quit();
      const gone = { reason: 'guest_ended', fault: 'system' };
      await expect(guest.screenshot()).rejects.toMatchObject(gone);
      await expect(guest.execute('/bin/true', [], { deadlineMs: 1_000 })).rejects.toMatchObject(gone);
      await expect(guest.waitForAgent(new AbortController().signal)).rejects.toMatchObject(gone);
      await expect(guest.helper.waitUntilReady(new AbortController().signal)).rejects.toMatchObject(gone);
      await expect(
        guest.helper.restore({ entropy: randomBytes(32), hostname: 'clone', linkUp: false }, 1_000),
      ).rejects.toMatchObject(gone);
      await expect(guest.helper.type('x')).rejects.toMatchObject(gone);
    });

    const waits: [string, (guest: Guest, signal: AbortSignal) => Promise<unknown>][] = [
      ['agent', (guest, signal) => guest.waitForAgent(signal)],
      ['helper', (guest, signal) => guest.helper.waitUntilReady(signal)],
    ];

    it.each(waits)('fails a wait for the %s when the guest goes meanwhile', async (_who, wait) => {
      const { guest } = await start();
      const waiting = wait(guest, new AbortController().signal);
      const outcome = expect(waiting).rejects.toMatchObject({ reason: 'guest_ended' });
      await guest.quit();
      await outcome;
    });

    it.each(waits)('stops waiting for the %s when told', async (_who, wait) => {
      const { guest } = await start();
      const reason = new Error('enough');
      const controller = new AbortController();
      const outcome = expect(wait(guest, controller.signal)).rejects.toBe(reason);
      controller.abort(reason);
      await outcome;
    });

    it('takes input, shows its screen to as many as ask, and loses them when it goes', async () => {
      const { guest } = await start();
      await guest.sendInput([
        { kind: 'move', x: 10, y: 10, screen: { width: 720, height: 400 } },
        { kind: 'key', key: 'a', down: true },
      ]);
      await guest.sendInput([{ kind: 'key', key: 'a', down: false }]);
      const screens = await Promise.all([guest.openScreen(), guest.openScreen()]);
      const closed = Promise.all(
        screens.map((screen) => new Promise((resolve) => screen.once('close', resolve).resume())),
      );
      await guest.quit();
      await closed;
      await expect(guest.openScreen()).rejects.toMatchObject({ reason: 'guest_ended' });
    });

    it('finds again what may live on, and where nothing does, ends what is left', async () => {
      const { guest, hypervisor } = await start({ survives: true, onReset: 'restart' });
      const { workDir } = (guest as Guest & { spec: GuestSpec }).spec;
      await guest.quit();
      expect(await hypervisor.adopt(workDir)).toBeUndefined();
      expect(await hypervisor.adopt(path.join(workDir, 'none'))).toBeUndefined();
    });

    it('keeps a guest with its disk, and starts any number from there, each on a disk of its own', async () => {
      const { hypervisor, disks, spec } = await prepare();
      const template = await spec();
      const diskPath = path.join(template.workDir, 'disk.qcow2');
      await disks.createPersistent(diskPath, { label: 'contract', sizeBytes: 64 << 20 });
      const { guest } = await start({ ...template, diskPath, savable: true });
      const snapshotDir = path.join(template.workDir, 'snapshot');
      await hypervisor.saveSnapshot(guest, snapshotDir);
      expect(await guest.ended).toMatchObject({ why: 'quit' });
      const clones = await Promise.all(
        [1, 2].map(async () => {
          const more = await spec();
          const clone = await hypervisor.startFromSnapshot(
            snapshotDir,
            { ...more, diskPath: path.join(more.workDir, 'clone.qcow2') },
            new AbortController().signal,
          );
          started.push(clone);
          return clone;
        }),
      );
      await rm(snapshotDir, { recursive: true });
      for (const clone of clones) {
        await clone.setLink(true);
        await clone.snapshotDisk('before');
        expect((await clone.screenshot()).subarray(1, 4).toString()).toBe('PNG');
      }
    });

    it('keeps nothing of a guest that was not started for it, and starts nothing from what was not saved', async () => {
      const { guest, hypervisor, spec } = await start();
      const given = await spec();
      const snapshotDir = path.join(given.workDir, 'snapshot');
      await expect(hypervisor.saveSnapshot(guest, snapshotDir)).rejects.toMatchObject({ reason: 'snapshot_failed' });
      await expect(
        hypervisor.startFromSnapshot(snapshotDir, given, new AbortController().signal),
      ).rejects.toMatchObject({ reason: 'snapshot_damaged' });
    });

    it('tells shapes apart by their fingerprints', async () => {
      const { hypervisor } = await prepare();
      const shape = { memoryMb: 64, vcpus: 1, firmware: 'bios', network: 'none', disk: true } as const;
      const all = await Promise.all(
        [
          shape,
          { ...shape },
          { ...shape, memoryMb: 65 },
          { ...shape, vcpus: 2 },
          { ...shape, firmware: 'uefi' } as const,
          { ...shape, network: 'egress' } as const,
          { ...shape, disk: false },
        ].map((one) => hypervisor.fingerprint(one)),
      );
      expect(all[0]).toMatch(/^[0-9a-f]{64}$/);
      expect(all[1]).toBe(all[0]);
      expect(new Set(all).size).toBe(all.length - 1);
    });

    it('keeps points in time of a disk by name', async () => {
      const { disks, spec } = await prepare();
      const { workDir } = await spec();
      const diskPath = path.join(workDir, 'disk-with-points.qcow2');
      await disks.createPersistent(diskPath, { label: 'contract', sizeBytes: 64 << 20 });
      for (const name of ['first', 'second']) await disks.snapshot(diskPath, name);
      expect((await disks.listSnapshots(diskPath)).map(({ name }) => name)).toEqual(['first', 'second']);
      await disks.revert(diskPath, 'first');
      await disks.deleteSnapshot(diskPath, 'first');
      expect((await disks.listSnapshots(diskPath)).map(({ name }) => name)).toEqual(['second']);
      await expect(disks.revert(diskPath, 'first')).rejects.toMatchObject({ reason: 'disk_failed', fault: 'system' });
      await expect(disks.snapshot(path.join(workDir, 'none'), 'first')).rejects.toMatchObject({
        reason: 'disk_failed',
      });
    });

    it('starts nothing for a signal that came first, or without its image', async () => {
      const reason = new Error('cancelled');
      await expect(start({}, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(start({ isoPath: '/no/such/image.iso' })).rejects.toMatchObject({
        reason: 'hypervisor_unavailable',
      });
    });
  });
}
