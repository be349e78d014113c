import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostTooSlow } from '#libs/platform';
import { checkBoot } from './boot-check.js';
import { guestError } from './guest-error.js';
import { FakeHypervisor, type FakeGuestScript } from './testing/fake-hypervisor.js';

const atRest = { slowness: () => 1 };
const endless = { lookMs: 5, standstillMs: 20_000, cpuMs: 1e9, longestMs: 20_000 };
/** For tests in which something never comes. */
const shortGraceMs = 60;
const ready = '/usr/bin/systemctl is-system-running --wait';
const active = (name: string) => `/usr/bin/systemctl is-active -- ${name}`;
const failed = '/usr/bin/systemctl list-units --failed --no-legend --plain --no-pager';
const good: FakeGuestScript = {
  serial: '[    0.000000] Linux version 6.1\r\nDebian GNU/Linux 12 localhost ttyS0\r\n\r\nlocalhost login: ',
  agentVersion: '7.2.22',
  systemStates: ['running'],
  answers: { [ready]: { stdout: 'running\n' }, [active('ssh.service')]: { stdout: 'active\n' } },
};

const prompted = good.serial;
let workDir: string;
beforeAll(async () => void (workDir = await mkdtemp(path.join(tmpdir(), 'openfactory-boot-'))));
afterAll(() => rm(workDir, { recursive: true, force: true }));

async function check(
  script: FakeGuestScript,
  {
    services = ['ssh.service'],
    bounded = [] as string[],
    guestChannels = { agent: true, helper: true },
    patience = {},
    graceMs = 10_000,
    host = atRest,
    signal = new AbortController().signal,
  } = {},
) {
  const hypervisor = new FakeHypervisor(script);
  const progress: number[] = [];
  try {
    const report = await checkBoot(
      hypervisor,
      { isoPath: '/dev/null', firmware: 'bios', memoryMb: 512, vcpus: 1, guestChannels, services, bounded, workDir },
      signal,
      (fraction) => progress.push(fraction),
      { watchMs: 5, retryMs: 5, graceMs, patience: { ...endless, ...patience }, host },
    );
    return { report, hypervisor, progress };
  } finally {
    expect(hypervisor.running).toBe(0);
  }
}

describe('checkBoot', () => {
  it('passes a system that is up, with its services, its prompt and a picture', async () => {
    const { report, progress, hypervisor } = await check(good);
    expect(report).toMatchObject({
      passed: true,
      problems: [],
      checkedBy: 'agent',
      agentVersion: '7.2.22',
      helperVersion: '1',
      services: [{ name: 'ssh.service', active: true }],
      failedUnits: [],
      acceleration: { kind: 'tcg' },
    });
    expect(report.screenshot?.subarray(1, 4).toString()).toBe('PNG');
    expect(report.serialTail).toContain('localhost login:');
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(hypervisor.guests[0]?.spec).toMatchObject({ network: 'none', firmware: 'bios' });
  });

  it.each([
    [
      '[   12.1] Kernel panic - not syncing: VFS: Unable to mount root fs',
      'Kernel panic - not syncing: VFS: Unable to mount root fs',
    ],
    ["\u001b[2J\r\nerror: file `/live/vmlinuz' not found.\r\nPress any key", "error: file `/live/vmlinuz' not found."],
    ['\r\ngrub rescue> ', 'grub rescue>'],
    ['Give root password for maintenance\r\n', 'Give root password for maintenance'],
    ['Unable to find a medium containing a live file system', 'Unable to find a medium'],
    ['BdsDxe: No bootable option or device was found.', 'No bootable option'],
  ])('gives up early after %j', async (serial, words) => {
    const { report } = await check({ serial });
    expect(report).toMatchObject({ passed: false, isLate: false });
    expect(report.problems).toEqual([expect.stringContaining(words)]);
    expect(report.screenshot).toBeDefined();
  });

  it('takes no program that prints "error:" for the boot loader', async () => {
    const { report } = await check({
      ...good,
      serial: `[    0.000000] Linux version 6.1\nerror: could not be bothered\n${good.serial}`,
    });
    expect(report.passed).toBe(true);
  });

  it('tells an agent that never answers', async () => {
    const { report } = await check({ serial: 'nothing much' }, { patience: { longestMs: 100 } });
    expect(report).toMatchObject({
      passed: false,
      isLate: true,
      problems: [
        expect.stringMatching(
          /^The system did not come up within \d s, in which its guest got \d+ % of a processor\.$/,
        ),
      ],
    });
  });

  const helperOnly = { agent: false, helper: true };
  const nobody = { agent: false, helper: false };

  it('takes the word of the helper where there is no agent', async () => {
    const { report } = await check(
      { serial: good.serial, systemStates: ['initializing', 'starting', 'running'] },
      { guestChannels: helperOnly },
    );
    expect(report).toMatchObject({ passed: true, problems: [], checkedBy: 'helper', helperVersion: '1', services: [] });
    const { report: degraded } = await check(
      { serial: 'no prompt', systemStates: ['degraded'] },
      { guestChannels: helperOnly, graceMs: shortGraceMs },
    );
    expect(degraded.problems).toEqual([
      'The system is degraded, not running.',
      'No login prompt appeared on the serial console.',
    ]);
  });

  it('takes the login prompt where there is neither, and does not wait for anybody', async () => {
    const { report } = await check({ serial: good.serial }, { guestChannels: nobody });
    expect(report).toMatchObject({ passed: true, problems: [], checkedBy: 'login prompt' });
    expect(report.helperVersion).toBeUndefined();
  });

  it.each([helperOnly, nobody])('ends in time, early where there is no hope, with %j', async (guestChannels) => {
    expect(
      (await check({ serial: 'nothing much' }, { guestChannels, patience: { longestMs: 100 } })).report.isLate,
    ).toBe(true);
    expect((await check({ serial: 'Kernel panic - not syncing' }, { guestChannels })).report.problems).toEqual([
      'The system did not start: Kernel panic - not syncing',
    ]);
    expect((await check({ powersOffAfterMs: 30 }, { guestChannels })).report.problems).toEqual([
      expect.stringContaining('The guest is gone'),
    ]);
  });

  it('passes a system whose agent tells everything though its helper is silent', async () => {
    const { report } = await check({ ...good, systemStates: undefined }, { graceMs: shortGraceMs });
    expect(report).toMatchObject({ passed: true, checkedBy: 'agent' });
    expect(report.helperVersion).toBeUndefined();
  });

  it('tells a guest that ended itself', async () => {
    const { report } = await check({ powersOffAfterMs: 30 });
    expect(report.problems).toEqual([expect.stringContaining('The guest is gone')]);
    expect(report.screenshot).toBeUndefined();
  });

  it('tells services, failed units and a missing prompt all at once', async () => {
    const answers = {
      [ready]: { code: 1, stdout: 'degraded\n' },
      [active('nginx.service')]: { code: 3, stdout: 'failed\n' },
      [active('ssh.service')]: { stdout: 'active\n' },
      [failed]: { stdout: 'nginx.service loaded failed failed A web server\n' },
    };
    const { report } = await check(
      { serial: 'no prompt', agentVersion: '1', answers },
      { services: ['ssh.service', 'nginx.service'], graceMs: shortGraceMs },
    );
    expect(report).toMatchObject({
      passed: false,
      failedUnits: ['nginx.service'],
      services: [
        { name: 'ssh.service', active: true },
        { name: 'nginx.service', active: false },
      ],
    });
    expect(report.problems).toEqual([
      'The service nginx.service is failed, not active.',
      'Units failed: nginx.service.',
      'No login prompt appeared on the serial console.',
    ]);
  });

  it('waits for a service that is a little late', async () => {
    let asked = 0;
    const late = () => ({ stdout: ++asked > 3 ? 'active\n' : 'activating\n' });
    const { report } = await check({ ...good, answers: { ...good.answers, [active('ssh.service')]: late } });
    expect(report.passed).toBe(true);
  });

  it('ends in time where a command never does', async () => {
    const { report } = await check(
      { ...good, answers: { [ready]: () => new Promise<never>(() => undefined) } },
      { patience: { longestMs: 150 } },
    );
    expect(report.problems).toEqual([expect.stringContaining('did not come up within')]);
  });

  describe('takes being late for no fact about the image', () => {
    const prompt = good.serial ?? '';
    const getty = active('serial-getty@ttyS0.service');
    /** A guest that got so much of a processor all the time. */
    const with10Percent = () => ({ cpuMs: performance.now() / 10, serialBytes: 0 });
    const units = '/usr/bin/systemctl show --property=Id,Result -- slow.service';

    it('a prompt whose writer runs, or that may come as long as the guest works', async () => {
      expect(
        (
          await check(
            { ...good, serial: 'no prompt', answers: { ...good.answers, [getty]: { stdout: 'active\n' } } },
            { graceMs: shortGraceMs },
          )
        ).report,
      ).toMatchObject({ isLate: true, problems: ['No login prompt appeared on the serial console.'] });
      expect(
        (
          await check(
            { ...good, serial: 'no prompt', answers: { ...good.answers, [getty]: { code: 3, stdout: 'inactive\n' } } },
            { graceMs: shortGraceMs },
          )
        ).report,
      ).toMatchObject({ passed: false, isLate: false });
      expect(
        (
          await check(
            { serial: 'no prompt', systemStates: ['running'], activity: with10Percent },
            { guestChannels: helperOnly, graceMs: shortGraceMs },
          )
        ).report.isLate,
      ).toBe(true);
      let began: number | undefined;
      const rests = () => ({ cpuMs: Math.min(performance.now() - (began ??= performance.now()), 40), serialBytes: 0 });
      expect(
        (
          await check(
            { serial: 'no prompt', systemStates: ['starting', 'starting', 'running'], activity: rests },
            { guestChannels: helperOnly, graceMs: 400 },
          )
        ).report,
      ).toMatchObject({ passed: false, isLate: false });
    });

    it('a prompt that comes after a grace which the slow boot and the busy host made longer', async () => {
      const began = performance.now();
      const script: FakeGuestScript = {
        ...good,
        answers: { ...good.answers, [ready]: async () => (await sleep(400), { stdout: 'running\n' }) },
      };
      const hypervisor = new FakeHypervisor(script);
      const start = hypervisor.start.bind(hypervisor);
      hypervisor.start = async (...args) => {
        const guest = await start(...args);
        guest.serialText = () => (performance.now() - began < 1_500 ? '' : prompt);
        return guest;
      };
      const report = await checkBoot(
        hypervisor,
        {
          isoPath: '/dev/null',
          firmware: 'bios',
          memoryMb: 512,
          vcpus: 1,
          guestChannels: { agent: true, helper: true },
          services: [],
          workDir,
        },
        new AbortController().signal,
        undefined,
        { watchMs: 5, retryMs: 5, graceMs: 150, patience: endless, host: { slowness: () => 20 } },
      );
      expect(report).toMatchObject({ passed: true, problems: [] });
    });

    it('a service that still starts', async () => {
      const answers = { ...good.answers, [active('ssh.service')]: { code: 3, stdout: 'activating\n' } };
      expect((await check({ ...good, answers }, { graceMs: shortGraceMs })).report).toMatchObject({
        isLate: true,
        problems: ['The service ssh.service is activating, not active.'],
      });
    });

    it('a unit that systemd ended because it was slow, where the guest was starved, unless its owner chose the time', async () => {
      const answers = {
        ...good.answers,
        [ready]: { code: 1, stdout: 'degraded\n' },
        [failed]: { stdout: 'slow.service loaded failed failed A slow one\n' },
        [units]: { stdout: 'Result=timeout\nId=slow.service\n' },
      };
      const starved = await check({ ...good, answers, activity: with10Percent });
      expect(starved.report).toMatchObject({
        isLate: true,
        problems: ['Units failed: slow.service.', 'They took longer than systemd lets them: slow.service.'],
      });
      for (const { report } of [
        await check({ ...good, answers }),
        await check({ ...good, answers, activity: with10Percent }, { bounded: ['slow.service'] }),
      ])
        expect(report).toMatchObject({ isLate: false, problems: ['Units failed: slow.service.'] });
    });

    it('what never started in a starved guest, as where its device came too late', async () => {
      const answers = {
        ...good.answers,
        [getty]: { code: 3, stdout: 'inactive\n' },
        [active('ssh.service')]: { code: 3, stdout: 'inactive\n' },
      };
      expect(
        (await check({ ...good, serial: 'no prompt', answers, activity: with10Percent }, { graceMs: shortGraceMs }))
          .report,
      ).toMatchObject({
        isLate: true,
        problems: [expect.stringContaining('ssh.service is inactive'), expect.stringContaining('No login prompt')],
      });
      const failing = { ...good.answers, [active('ssh.service')]: { code: 3, stdout: 'failed\n' } };
      expect(
        (await check({ ...good, answers: failing, activity: with10Percent }, { graceMs: shortGraceMs })).report,
      ).toMatchObject({ isLate: false, problems: ['The service ssh.service is failed, not active.'] });
    });

    it('what waited in vain for a device or its medium, where the host was busy; what failed without waiting is a fact', async () => {
      const busy = { slowness: () => 8 };
      const waited = [
        'Unable to find a medium containing a live file system\n',
        '[ TIME ] Timed out waiting for device dev-vdb.device.\nGive root password for maintenance\n',
      ];
      for (const serial of waited) {
        expect((await check({ serial }, { host: busy })).report).toMatchObject({ passed: false, isLate: true });
        expect((await check({ serial })).report).toMatchObject({ passed: false, isLate: false });
      }
      for (const serial of [
        'Give root password for maintenance\n',
        '[    1.0] Kernel panic - not syncing: no\nTimed out waiting for device x\n',
      ])
        expect((await check({ serial }, { host: busy })).report).toMatchObject({ passed: false, isLate: false });
    });

    it('an agent that does not answer in time', async () => {
      const answers = {
        ...good.answers,
        [failed]: () =>
          Promise.reject(guestError('guest_agent_failed', 'The agent did not answer.', { cause: hostTooSlow('late') })),
      };
      expect((await check({ ...good, answers })).report).toMatchObject({
        isLate: true,
        problems: ['The agent did not answer.'],
      });
    });
  });

  it('tells a guest that hangs soon, and takes it for a fact', async () => {
    const { report } = await check(
      { serial: 'Loading…', activity: () => ({ cpuMs: 7, serialBytes: 9 }) },
      { patience: { standstillMs: 50 } },
    );
    expect(report).toMatchObject({
      passed: false,
      isLate: false,
      problems: [expect.stringContaining('at a standstill: its guest neither used a processor nor said a word')],
    });
    expect(report.serialTail).toBe('Loading…');
  });

  it('waits for one that says a word now and then, or uses a hundredth part more of a processor than nothing', async () => {
    let bytes = 0;
    const states = [...Array<string>(40).fill('starting'), 'running'];
    expect(
      (
        await check(
          { serial: prompted, systemStates: states, activity: () => ({ cpuMs: 7, serialBytes: bytes++ }) },
          { guestChannels: helperOnly, patience: { standstillMs: 50 } },
        )
      ).report.passed,
    ).toBe(true);
    expect(
      (
        await check(
          {
            serial: prompted,
            systemStates: states,
            activity: () => ({ cpuMs: performance.now() / 20, serialBytes: 0 }),
          },
          { guestChannels: helperOnly, patience: { standstillMs: 50 } },
        )
      ).report.passed,
    ).toBe(true);
  });

  it('blames no image for a virtual machine that broke', async () => {
    const hypervisor = new FakeHypervisor({ serial: '' });
    const checking = checkBoot(
      hypervisor,
      { isoPath: '/dev/null', firmware: 'bios', memoryMb: 512, vcpus: 1, guestChannels: nobody, services: [], workDir },
      new AbortController().signal,
      undefined,
      { watchMs: 5, retryMs: 5, graceMs: 10, patience: endless },
    );
    const breaking = setInterval(() => hypervisor.guests[0]?.die({ why: 'failed', detail: 'it was killed' }), 10);
    void checking.finally(() => clearInterval(breaking)).catch(() => undefined);
    await expect(checking).rejects.toMatchObject({ reason: 'hypervisor_unavailable', fault: 'system' });
  });

  it('throws the reason of a cancellation, and leaves no guest', async () => {
    const controller = new AbortController();
    const reason = new Error('the build was cancelled');
    setTimeout(() => controller.abort(reason), 50);
    await expect(check({ serial: '' }, { signal: controller.signal })).rejects.toBe(reason);
  });
});
