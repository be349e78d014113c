import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { EmbeddedPostgres, loadSettings, unprivilegedAccount } from '#libs/platform';
import { formatChecks, warn, type Check } from '../../apps/cli/src/doctor/check.js';
import { probeDataDirectory } from '../../apps/cli/src/doctor/data-directory.probe.js';
import { probeDatabase } from '../../apps/cli/src/doctor/database.probe.js';
import { examine } from '../../apps/cli/src/doctor/examine.js';
import { probeKvm } from '../../apps/cli/src/doctor/kvm.probe.js';
import { probePort } from '../../apps/cli/src/doctor/port.probe.js';

jest.setTimeout(120_000); // Real servers and real disks, on a machine that may be busy.

let base: string;
const settingsWith = (environment: Record<string, string>) =>
  loadSettings({ OPENFACTORY_DATA_DIR: path.join(base, 'data'), ...environment }).settings;
const only = (checks: Check[]) => {
  expect(checks).toHaveLength(1);
  return checks[0];
};

beforeAll(async () => {
  base = await mkdtemp('/tmp/openfactory-doctor-test-');
  await chmod(base, 0o755);
});
afterAll(() => rm(base, { recursive: true, force: true }));

describe('the doctor', () => {
  it('has a finding for everything, and a remedy for whatever is not ok', async () => {
    const checks = await examine(() =>
      loadSettings({ OPENFACTORY_DATA_DIR: path.join(base, 'data'), OPENFACTORY_PORT: '0' }),
    );
    const expected = [
      'configuration',
      'distribution',
      'Node.js',
      'Debian packages',
      'system accounts',
      'user namespaces',
      'room of builds',
      'KVM',
      'guest network',
      'memory',
      'control groups',
      'data directory',
      'disk space',
      'port',
      'PostgreSQL',
    ];
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(expected));
    for (const { found, verdict, remedy } of checks) {
      expect(found).not.toBe('');
      expect(Boolean(remedy)).toBe(verdict !== 'ok');
    }
  });

  it('tells a wrong configuration instead of breaking on it', async () => {
    const [first, ...others] = await examine(() => loadSettings({ OPENFACTORY_PORT: 'http' }));
    expect(first).toMatchObject({ name: 'configuration', verdict: 'fail' });
    expect(first?.found).toContain('OPENFACTORY_PORT must be a whole number');
    expect(others.map(({ name }) => name)).toContain('KVM');
  });

  it('prints the remedy below its check', () => {
    expect(formatChecks([warn('KVM', 'not there', 'Switch it on.')])).toBe(
      'warn  KVM  not there\n           -> Switch it on.',
    );
  });
});

describe('the KVM probe', () => {
  const verdict = async (probe: Parameters<typeof probeKvm>[0]) => only(await probeKvm(probe));

  it('says what a guest has just run on', async () => {
    const check = await verdict(undefined);
    expect(check?.verdict).toBe(check?.found.startsWith('works: ') ? 'ok' : 'warn');
    expect(check?.found).toMatch(/^works: |there is no \/dev\/kvm|does not work: ./);
  });

  it('warns of emulation, and of a host where nothing runs, with what to do', async () => {
    expect(await verdict(() => Promise.resolve({ kind: 'tcg', why: 'there is no /dev/kvm' }))).toMatchObject({
      verdict: 'warn',
      found: 'there is no /dev/kvm',
      remedy: expect.stringContaining('emulation'),
    });
    expect(await verdict(() => Promise.reject(new Error('bwrap: no permissions')))).toMatchObject({
      verdict: 'warn',
      found: 'bwrap: no permissions',
      remedy: expect.stringContaining('npm run setup'),
    });
    expect(await verdict(() => Promise.resolve({ kind: 'kvm', why: 'it ran' }))).toMatchObject({ verdict: 'ok' });
  });
});

describe('the port probe', () => {
  let server: Server | undefined;
  const listen = async (body: object): Promise<string> => {
    server = createServer((_request, response) => response.end(JSON.stringify(body)));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return String((server.address() as AddressInfo).port);
  };
  afterEach(() => void server?.close());

  it('knows a factory from another program', async () => {
    const factory = await listen({ status: 'ok', details: { queue: {}, events: {} } });
    expect(only(await probePort(settingsWith({ OPENFACTORY_PORT: factory })))).toMatchObject({
      verdict: 'ok',
      found: expect.stringContaining('a running OpenFactory'),
    });
    server?.close();
    const other = await listen({ hello: 'world' });
    expect(only(await probePort(settingsWith({ OPENFACTORY_PORT: other })))).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('another program'),
    });
  });

  it('tells an address that is not this machine’s', async () => {
    expect(only(await probePort(settingsWith({ OPENFACTORY_HOST: '192.0.2.1' })))).toMatchObject({ verdict: 'fail' });
  });
});

describe('the data directory probe', () => {
  it('accepts one that is not there yet', async () => {
    expect(only(await probeDataDirectory(settingsWith({})))).toMatchObject({ verdict: 'ok' });
  });

  it('refuses a file, and a secret that others can read', async () => {
    const file = path.join(base, 'file');
    await writeFile(file, '');
    expect(only(await probeDataDirectory(settingsWith({ OPENFACTORY_DATA_DIR: file })))).toMatchObject({
      verdict: 'fail',
    });
    const open = path.join(base, 'open');
    await mkdir(open);
    await writeFile(path.join(open, 'secret'), 'x', { mode: 0o644 });
    expect(only(await probeDataDirectory(settingsWith({ OPENFACTORY_DATA_DIR: open })))).toMatchObject({
      verdict: 'fail',
      remedy: expect.stringContaining('chmod 600'),
    });
  });

  it('names the directory that the database’s account cannot enter', async () => {
    const closed = path.join(base, 'closed');
    await mkdir(path.join(closed, 'data'), { recursive: true });
    await chmod(closed, 0o700);
    const check = only(await probeDataDirectory(settingsWith({ OPENFACTORY_DATA_DIR: path.join(closed, 'data') })));
    if (process.getuid?.() === 0)
      expect(check).toMatchObject({ verdict: 'fail', remedy: expect.stringContaining(`chmod o+x ${closed}`) });
    else expect(check).toMatchObject({ verdict: 'ok' });
  });
});

describe('the PostgreSQL probe', () => {
  it('tells an embedded one that runs, and one of another major version', async () => {
    const dataDir = path.join(base, 'cluster');
    await mkdir(dataDir);
    const settings = settingsWith({ OPENFACTORY_DATA_DIR: dataDir });
    expect(only(await probeDatabase(settings))).toMatchObject({
      verdict: 'ok',
      found: expect.stringContaining('first start'),
    });
    const server = new EmbeddedPostgres({ dataDir, account: await unprivilegedAccount() });
    await server.start();
    try {
      expect(only(await probeDatabase(settings))).toMatchObject({
        verdict: 'ok',
        found: expect.stringMatching(/running, version 18/),
      });
    } finally {
      await server.stop();
    }
    await writeFile(path.join(dataDir, 'database/PG_VERSION'), '17\n');
    expect(only(await probeDatabase(settings))).toMatchObject({ verdict: 'fail' });
  });

  it('tells a server that does not answer, without its password', async () => {
    const check = only(
      await probeDatabase(
        settingsWith({ DATABASE_URL: 'postgres://ada:hunter2@127.0.0.1:1/of', OPENFACTORY_SECRET: 'x'.repeat(32) }),
      ),
    );
    expect(check).toMatchObject({ verdict: 'fail', found: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(check)).not.toContain('hunter2');
  });
});
