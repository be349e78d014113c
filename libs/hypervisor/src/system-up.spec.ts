import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitForSystem } from './system-up.js';
import { FakeHypervisor, type FakeGuest, type FakeGuestScript } from './testing/fake-hypervisor.js';

const patience = { lookMs: 5, standstillMs: 20_000, cpuMs: 1e9, longestMs: 20_000 };
const timeouts = { lookMs: 2, graceMs: 20, patience, host: { slowness: () => 1 } };
const helperUnit = '/usr/bin/systemctl show --property=LoadState,ActiveState -- openfactory-helper.service';
const never = new AbortController().signal;
let workDir: string;
beforeAll(async () => {
  workDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-up-'));
});
afterAll(() => rm(workDir, { recursive: true, force: true }));
const started = async (script: FakeGuestScript): Promise<FakeGuest> =>
  await new FakeHypervisor(script).start(
    { memoryMb: 256, vcpus: 1, firmware: 'bios', network: 'none', workDir },
    never,
  );

describe('a system is up', () => {
  it('by the word of its helper, once it has started', async () => {
    expect(
      await waitForSystem(await started({ systemStates: ['starting', 'starting', 'degraded'] }), never, timeouts),
    ).toEqual({ helper: { version: '1', bootId: expect.any(String), systemState: 'degraded' } });
  });

  it('by that of its agent, and waits a little for a helper', async () => {
    const guest = await started({ agentVersion: '7.2' });
    expect(await waitForSystem(guest, never, timeouts)).toEqual({ isWithoutHelper: false });
    expect(guest.commands).toEqual(['/usr/bin/systemctl is-system-running --wait', helperUnit, helperUnit]);
  });

  it.each([
    ['LoadState=not-found\nActiveState=inactive\n', true],
    ['LoadState=loaded\nActiveState=failed\n', true],
    ['LoadState=loaded\nActiveState=active\n', false],
    ['LoadState=loaded\nActiveState=activating\n', false],
  ])(
    'and knows by the word of the service manager alone that there is no helper: %j',
    async (stdout, isWithoutHelper) => {
      expect(
        await waitForSystem(
          await started({ agentVersion: '7.2', answers: { [helperUnit]: { stdout } } }),
          never,
          timeouts,
        ),
      ).toEqual({ isWithoutHelper });
    },
  );

  it('not by its login prompt, where its helper says that it still starts', async () => {
    const script: FakeGuestScript = {
      serial: 'Debian GNU/Linux 12 debian ttyS0\n\ndebian login: ',
      systemStates: [...Array<string>(60).fill('starting'), 'running'],
    };
    expect(await waitForSystem(await started(script), never, timeouts)).toMatchObject({
      helper: { systemState: 'running' },
    });
  });

  it('by its helper still, where a slow boot lets it speak a good while after the login prompt', async () => {
    const guest = await started({});
    const began = performance.now();
    guest.serialText = () =>
      performance.now() - began < 600 ? '' : 'Debian GNU/Linux 12 debian ttyS0\n\ndebian login: ';
    guest.helper.waitUntilReady = async () => {
      await sleep(Math.max(0, began + 700 - performance.now()));
      return { version: '1', bootId: guest.bootId, systemState: 'running' };
    };
    expect(await waitForSystem(guest, never, timeouts)).toMatchObject({ helper: { version: '1' } });
  });

  it('by its login prompt', async () => {
    expect(
      await waitForSystem(
        await started({ serial: 'Debian GNU/Linux 12 debian ttyS0\n\ndebian login: ' }),
        never,
        timeouts,
      ),
    ).toEqual({ isWithoutHelper: false });
  });
});

describe('a system is not up', () => {
  it('that says so itself', async () => {
    await expect(
      waitForSystem(
        await started({ serial: '[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs\n' }),
        never,
        timeouts,
      ),
    ).rejects.toMatchObject({ reason: 'system_not_up', message: expect.stringContaining('Kernel panic') });
  });

  it.each([
    ['on a host at rest', 1, 'system_not_up'],
    ['not on a busy one', 8, 'host_too_slow'],
  ])('that waited for its device in vain: %s', async (_where, slowness, reason) => {
    const serial =
      '[ TIME ] Timed out waiting for device dev-vdb.device.\n[DEPEND] Dependency failed for local-fs.target.\nYou are in emergency mode.\n';
    await expect(
      waitForSystem(await started({ serial }), never, { ...timeouts, host: { slowness: () => slowness } }),
    ).rejects.toMatchObject({ reason });
  });

  it('that does nothing any more', async () => {
    await expect(
      waitForSystem(await started({ activity: () => ({ cpuMs: 7, serialBytes: 0 }) }), never, {
        ...timeouts,
        patience: { ...patience, standstillMs: 30 },
      }),
    ).rejects.toMatchObject({ reason: 'system_not_up', message: expect.stringContaining('standstill') });
  });

  it('that is at work until it is too late: then the host was too slow', async () => {
    await expect(
      waitForSystem(await started({ systemStates: ['starting'] }), never, {
        ...timeouts,
        patience: { ...patience, longestMs: 30 },
      }),
    ).rejects.toMatchObject({ reason: 'host_too_slow', message: expect.stringContaining('within') });
  });

  it('whose guest is gone, or for which nobody waits any more', async () => {
    const guest = await started({});
    const waiting = waitForSystem(guest, never, timeouts);
    guest.die({ why: 'failed', detail: 'it was killed' });
    await expect(waiting).rejects.toMatchObject({ reason: 'guest_ended' });
    await expect(waitForSystem(await started({}), AbortSignal.abort(new Error('enough')), timeouts)).rejects.toThrow(
      'enough',
    );
  });
});
