import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkBoot } from './boot-check.js';
import { FakeHypervisor, type FakeGuestScript } from './testing/fake-hypervisor.js';

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

let workDir: string;
beforeAll(async () => void (workDir = await mkdtemp(path.join(tmpdir(), 'openfactory-boot-'))));
afterAll(() => rm(workDir, { recursive: true, force: true }));

async function check(script: FakeGuestScript, { services = ['ssh.service'], voices = { agent: true, helper: true }, deadlineMs = 20_000, graceMs = 10_000, signal = new AbortController().signal } = {}) {
  const hypervisor = new FakeHypervisor(script);
  const progress: number[] = [];
  try {
    const report = await checkBoot(hypervisor, { isoPath: '/dev/null', firmware: 'bios', memoryMb: 512, vcpus: 1, voices, services, deadlineMs, workDir }, signal, (fraction) => progress.push(fraction), { watchMs: 5, retryMs: 5, graceMs });
    return { report, hypervisor, progress };
  } finally {
    expect(hypervisor.running).toBe(0);
  }
}

describe('checkBoot', () => {
  it('passes a system that is up, with its services, its prompt and a picture', async () => {
    const { report, progress, hypervisor } = await check(good);
    expect(report).toMatchObject({ passed: true, problems: [], checkedBy: 'agent', agentVersion: '7.2.22', helperVersion: '1', services: [{ name: 'ssh.service', active: true }], failedUnits: [], acceleration: { kind: 'tcg' } });
    expect(report.screenshot?.subarray(1, 4).toString()).toBe('PNG');
    expect(report.serialTail).toContain('localhost login:');
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(hypervisor.guests[0]?.spec).toMatchObject({ network: 'none', firmware: 'bios' });
  });

  it.each([
    ['[   12.1] Kernel panic - not syncing: VFS: Unable to mount root fs', 'Kernel panic - not syncing: VFS: Unable to mount root fs'],
    ["\u001b[2J\r\nerror: file `/live/vmlinuz' not found.\r\nPress any key", "error: file `/live/vmlinuz' not found."],
    ['\r\ngrub rescue> ', 'grub rescue>'],
    ['Give root password for maintenance\r\n', 'Give root password for maintenance'],
    ['Unable to find a medium containing a live file system', 'Unable to find a medium'],
    ['BdsDxe: No bootable option or device was found.', 'No bootable option'],
  ])('gives up early after %j', async (serial, words) => {
    const began = performance.now();
    const { report } = await check({ serial }, { deadlineMs: 20_000 });
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(report.passed).toBe(false);
    expect(report.problems).toEqual([expect.stringContaining(words)]);
    expect(report.screenshot).toBeDefined();
  });

  it('takes no program that prints "error:" for the boot loader', async () => {
    const { report } = await check({ ...good, serial: `[    0.000000] Linux version 6.1\nerror: could not be bothered\n${good.serial}` });
    expect(report.passed).toBe(true);
  });

  it('tells an agent that never answers', async () => {
    const { report } = await check({ serial: 'nothing much' }, { deadlineMs: 100 });
    expect(report.problems).toEqual(['The system did not come up within 0 s.']);
  });

  const helperOnly = { agent: false, helper: true };
  const nobody = { agent: false, helper: false };

  it('takes the word of the helper where there is no agent', async () => {
    const { report } = await check({ serial: good.serial, systemStates: ['initializing', 'starting', 'running'] }, { voices: helperOnly });
    expect(report).toMatchObject({ passed: true, problems: [], checkedBy: 'helper', helperVersion: '1', services: [] });
    const { report: degraded } = await check({ serial: 'no prompt', systemStates: ['degraded'] }, { voices: helperOnly, graceMs: shortGraceMs });
    expect(degraded.problems).toEqual(['The system is degraded, not running.', 'No login prompt appeared on the serial console.']);
  });

  it('takes the login prompt where there is neither, and does not wait for anybody', async () => {
    const { report } = await check({ serial: good.serial }, { voices: nobody });
    expect(report).toMatchObject({ passed: true, problems: [], checkedBy: 'login prompt' });
    expect(report.helperVersion).toBeUndefined();
  });

  it.each([helperOnly, nobody])('ends in time, early where there is no hope, with %j', async (voices) => {
    expect((await check({ serial: 'nothing much' }, { voices, deadlineMs: 100 })).report.problems).toEqual(['The system did not come up within 0 s.']);
    expect((await check({ serial: 'Kernel panic - not syncing' }, { voices, deadlineMs: 20_000 })).report.problems).toEqual(['The system did not start: Kernel panic - not syncing']);
    expect((await check({ powersOffAfterMs: 30 }, { voices, deadlineMs: 20_000 })).report.problems).toEqual([expect.stringContaining('The guest is gone')]);
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
    const answers = { [ready]: { code: 1, stdout: 'degraded\n' }, [active('nginx.service')]: { code: 3, stdout: 'failed\n' }, [active('ssh.service')]: { stdout: 'active\n' }, [failed]: { stdout: 'nginx.service loaded failed failed A web server\n' } };
    const { report } = await check({ serial: 'no prompt', agentVersion: '1', answers }, { services: ['ssh.service', 'nginx.service'], graceMs: shortGraceMs });
    expect(report).toMatchObject({ passed: false, failedUnits: ['nginx.service'], services: [{ name: 'ssh.service', active: true }, { name: 'nginx.service', active: false }] });
    expect(report.problems).toEqual(['The service nginx.service is failed, not active.', 'Units failed: nginx.service.', 'No login prompt appeared on the serial console.']);
  });

  it('waits for a service that is a little late', async () => {
    let asked = 0;
    const late = () => ({ stdout: ++asked > 3 ? 'active\n' : 'activating\n' });
    const { report } = await check({ ...good, answers: { ...good.answers, [active('ssh.service')]: late } });
    expect(report.passed).toBe(true);
  });

  it('ends in time where a command never does', async () => {
    const { report } = await check({ ...good, answers: { [ready]: () => new Promise<never>(() => undefined) } }, { deadlineMs: 150 });
    expect(report.problems).toEqual([expect.stringContaining('did not come up within')]);
  });

  it('throws the reason of a cancellation, and leaves no guest', async () => {
    const controller = new AbortController();
    const reason = new Error('the build was cancelled');
    setTimeout(() => controller.abort(reason), 50);
    await expect(check({ serial: '' }, { signal: controller.signal })).rejects.toBe(reason);
  });
});
