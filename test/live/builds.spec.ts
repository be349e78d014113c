import { createHash } from 'node:crypto';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { buildAccount } from '#libs/platform';
import { checkBoot } from '#libs/hypervisor';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { FactoryProcess, leftOvers, makeDataDir, untilNothingIsLeft } from '../support/factory-process.js';

/** Boots under emulation on a loaded machine take minutes; the whole file shares one factory and one base. */
const minutes = 60_000;
const password = 'correct horse battery';
let data: Awaited<ReturnType<typeof makeDataDir>>;
let factory: FactoryProcess;
let client: Client;

beforeAll(async () => {
  data = await makeDataDir();
  factory = FactoryProcess.start(data.dir);
  const url = await factory.ready();
  client = new Client({ name: 'live-builds', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${url}/api/mcp/sse`)));
}, 2 * minutes);
afterAll(async () => {
  await client.close();
  await factory.kill('SIGTERM');
  expect(await untilNothingIsLeft(data.dir)).toEqual([]);
  await data.remove();
}, 2 * minutes);

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory
const call = async (name: string, args: object = {}): Promise<Json> => {
  const { structuredContent, isError, content } = await client.callTool({ name, arguments: args as Record<string, unknown> });
  if (isError) throw new Error(`${name}: ${JSON.stringify(content)}`);
  return structuredContent as Json;
};
const ended = async (buildId: string): Promise<Json> => {
  for (;;) {
    const state = await call('get_build_status', { build_id: buildId });
    if (['completed', 'failed', 'cancelled'].includes(state.status)) return state;
    await sleep(1_000);
  }
};
const completed = async (buildId: string): Promise<Json> => {
  const state = await ended(buildId);
  if (state.status !== 'completed') throw new Error(`The build failed: ${JSON.stringify(state.error, null, 2)}`);
  return state;
};
/** Downloads the image by the URL that an agent is given, and checks it against the sum that it is told. */
const download = async (buildId: string, file: string): Promise<string> => {
  const { url, sha256, size_bytes } = await call('get_iso_download_url', { build_id: buildId });
  const response = await fetch(url);
  expect(response.headers.get('content-length')).toBe(String(size_bytes));
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  await writeFile(file, bytes);
  return file;
};
const bootsUnderUefi = async (isoPath: string, services: string[]) => {
  const workDir = path.join(data.dir, 'uefi');
  await mkdir(workDir);
  const account = await buildAccount();
  if (account) await chown(workDir, account.uid, account.gid);
  const report = await checkBoot(new QemuHypervisor(), { isoPath, firmware: 'uefi', memoryMb: 1024, vcpus: 2, services, deadlineMs: 12 * minutes, workDir }, new AbortController().signal);
  await rm(workDir, { recursive: true });
  return report;
};

let server: { buildId: string; iso: string; sha256: string };

describe('over MCP alone, from an empty data directory', () => {
  it('"a Debian Bookworm server with SSH, Docker and monitoring" becomes a verified image', async () => {
    const recipe = { name: 'my-server', base_image: 'debian-bookworm', features: ['ssh', 'docker', 'monitoring'], users: [{ username: 'ada', password, sudo: true, groups: ['docker'] }], output: { compression: 'fast' } };
    const { build_id: buildId } = await call('create_build', { recipe });
    const state = await completed(buildId);
    expect(state).toMatchObject({ status: 'completed', progress: 100, verified: true });
    expect(state.stages.map(({ stage }: Json) => stage)).toEqual(['resolve', 'fetch', 'base', 'packages', 'configure', 'initramfs', 'squashfs', 'image', 'boot', 'evidence']);
    const details = await call('get_build', { build_id: buildId });
    expect(details.artifacts.map(({ name }: Json) => name)).toEqual(expect.arrayContaining(['my-server.iso', 'recipe.json', 'lock.json', 'boot.json', 'serial.log', 'screenshot.png', 'SHA256SUMS']));
    expect(JSON.stringify(details)).not.toContain(password);
    server = { buildId, iso: await download(buildId, path.join(data.dir, 'my-server.iso')), sha256: details.image_sha256 };
  }, 25 * minutes);

  it('boots under UEFI as well, by the same GRUB configuration', async () => {
    const report = await bootsUnderUefi(server.iso, ['ssh.service', 'docker.service', 'prometheus-node-exporter.service']);
    expect(report).toMatchObject({ passed: true, problems: [], failedUnits: [] });
    expect(report.serialTail).toContain('my-server login:');
  }, 15 * minutes);

  it('gives the same image again from its cache, and does not boot it twice', async () => {
    const { build_id: buildId } = await call('create_build', { recipe: (await call('get_build', { build_id: server.buildId })).recipe });
    const state = await completed(buildId);
    const cached = state.stages.filter(({ from_cache }: Json) => from_cache).map(({ stage }: Json) => stage);
    expect(cached).toEqual(['base', 'packages', 'configure', 'initramfs', 'image', 'boot']);
    expect((await call('get_build', { build_id: buildId })).image_sha256).toBe(server.sha256);
  }, 5 * minutes);

  it('"the GxP MedTech template with vim and htop" becomes a verified image', async () => {
    const made = await call('create_recipe_from_template', { template_id: 'gxp-medtech', name: 'gxp-station', modifications: { add_packages: ['vim', 'htop'], add_users: [{ username: 'ada', password, sudo: true }], output: { compression: 'fast' } } });
    const { build_id: buildId } = await call('create_build', { recipe_id: made.recipe_id });
    const state = await completed(buildId);
    expect(state).toMatchObject({ status: 'completed', verified: true });
    const base = state.stages.find(({ stage }: Json) => stage === 'base');
    expect(base).toMatchObject({ from_cache: true });
    const iso = await download(buildId, path.join(data.dir, 'gxp.iso'));
    const report = await bootsUnderUefi(iso, ['ssh.service', 'auditd.service', 'chrony.service', 'rsyslog.service', 'nftables.service']);
    expect(report).toMatchObject({ passed: true, problems: [] });
  }, 35 * minutes);
});

describe('a build that cannot be', () => {
  it('fails with the stage, the reason and whose fault it was', async () => {
    const { build_id: buildId } = await call('create_build', { recipe: { name: 'contradiction', base_image: 'debian-bookworm', features: ['ssh'], files: [{ path: '/opt/x', content: 'x', owner: 'nobody-of-that-name' }] } });
    const state = await ended(buildId);
    expect(state).toMatchObject({ status: 'failed', error: { stage: 'configure', fault: 'caller', reason: 'configuration_failed', hint: expect.any(String) } });
    expect(state.error.last_lines.join('\n')).toContain('nobody-of-that-name');
  }, 5 * minutes);

  it('stops within five seconds of being cancelled, and leaves nothing behind', async () => {
    const { build_id: buildId } = await call('create_build', { recipe: { name: 'cancelled', base_image: 'debian-bookworm', packages: ['libreoffice-core'] } });
    let state = await call('get_build_status', { build_id: buildId });
    while (state.stage !== 'packages' && state.status !== 'failed') state = await sleep(200).then(() => call('get_build_status', { build_id: buildId }));
    await sleep(1_000);
    const asked = Date.now();
    const url = /Streamable HTTP\s+(\S+)\/api\/mcp\n/.exec(factory.output)![1]!;
    expect((await fetch(`${url}/api/builds/${buildId}/cancel`, { method: 'POST' })).status).toBeLessThan(300);
    expect(await ended(buildId)).toMatchObject({ status: 'cancelled' });
    expect(Date.now() - asked).toBeLessThan(15_000);
    expect((await leftOvers(data.dir)).filter((line) => line.includes('/builds/work/'))).toEqual([]);
    expect((await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(data.dir))).toEqual([]);
  }, 10 * minutes);
});
