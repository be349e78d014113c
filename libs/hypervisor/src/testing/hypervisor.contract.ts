import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Guest, GuestSpec, Hypervisor } from '../hypervisor.port.js';

export interface HypervisorFixture {
  hypervisor: Hypervisor;
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
      for (let tries = 0; tries < 300 && !guest.serialText().includes(serialWords); tries++) await new Promise((resolve) => setTimeout(resolve, 100));
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
      await expect(guest.helper.restore({ entropy: randomBytes(32), at: new Date(), hostname: 'clone' }, 1_000)).rejects.toMatchObject(gone);
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

    it('starts nothing for a signal that came first, or without its image', async () => {
      const reason = new Error('cancelled');
      await expect(start({}, AbortSignal.abort(reason))).rejects.toBe(reason);
      await expect(start({ isoPath: '/no/such/image.iso' })).rejects.toMatchObject({ reason: 'hypervisor_unavailable' });
    });
  });
}
