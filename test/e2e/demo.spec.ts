import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { downloadImage } from '../../apps/cli/src/demo/download-image.js';
import { runDemo, type DemoOptions } from '../../apps/cli/src/demo/run-demo.js';
import { Screen } from '../../apps/cli/src/demo/screen.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';

let app: TestApp;
let scratch: string;
let outputDir: string;
const pipeline = new FakeBuildPipeline();

beforeAll(async () => {
  scratch = await mkdtemp(path.join(os.tmpdir(), 'openfactory-demo-'));
  // Nothing is fetched in these tests; packages are not checked while the index is not loaded.
  app = await startTestApp({
    pipelineModule: pipeline.module,
    environment: {
      OPENFACTORY_ROLES: 'api,worker',
      OPENFACTORY_DATA_DIR: path.join(scratch, 'data'),
      OPENFACTORY_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
    },
  });
});
afterAll(async () => {
  await app?.stop();
  await pipeline.dispose();
  await rm(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  outputDir = await mkdtemp(path.join(scratch, 'output-'));
});

/** Runs the demo; what it printed can be read while it runs. */
function demo(more: Partial<DemoOptions> = {}, { isTTY = false, signal = new AbortController().signal } = {}) {
  let text = '';
  const screen = new Screen({ write: (more: string) => (text += more), isTTY, columns: 100 });
  const options = {
    url: new URL(app.url),
    apiKey: undefined,
    template: 'debian-server',
    name: undefined,
    outputDir,
    pollEveryMs: 20,
    ...more,
  };
  return { printed: () => text, outcome: runDemo(options, screen, signal) };
}
const untilRunning = async (recipe: string) => {
  for (let tries = 0; !pipeline.runs.some((run) => run.recipe === recipe); tries++) {
    if (tries > 500) throw new Error(`${recipe} is not being built`);
    await sleep(20);
  }
};

describe('the demo', () => {
  it('goes from a template to a checked image and says how to boot it', async () => {
    const { printed, outcome } = demo();
    expect(await outcome).toBe('done');
    const [file, ...others] = await readdir(outputDir);
    expect([file, others]).toEqual([expect.stringMatching(/^demo-debian-server-[0-9a-f]{6}\.iso$/), []]);
    const sha256 = createHash('sha256')
      .update(await readFile(path.join(outputDir, file!)))
      .digest('hex');
    const text = printed();
    expect(text).toContain(sha256);
    expect(text).toContain(`-cdrom ${path.join(outputDir, file!)}`);
    expect(text).toMatch(/Log in as demo with the password ([a-x]{5}-){3}[a-x]{5} /);
    // A line for each stage, nothing that is rewritten.
    expect(text).toMatch(/^resolve +0\.0 s$/m);
    expect(text).toMatch(/^base +0\.0 s {2}from the cache$/m);
    expect(text.match(/^\w+ +\d+\.\d s/gm)).toHaveLength(10);
    expect(text).not.toMatch(/[\r\x1b]/);
    const [build] = (await app.database.query('SELECT recipe FROM build ORDER BY created_at DESC LIMIT 1')) as {
      recipe: { users: object[] };
    }[];
    expect(build!.recipe.users).toContainEqual(
      expect.objectContaining({ username: 'demo', sudo: true, password_hash: expect.stringMatching(/^\$y\$/) }),
    );
  });

  it('draws one line on a terminal', async () => {
    pipeline.script('drawn', { at: 'packages', hold: true });
    const { printed, outcome } = demo({ name: 'drawn' }, { isTTY: true });
    for (let tries = 0; !/packages \d+ s/.test(printed()) && tries < 500; tries++) await sleep(20);
    expect(printed()).toMatch(/\r\[#+-+\] +\d+ % {2}packages \d+ s, 1 of 3 stages from the cache/);
    pipeline.release('drawn');
    expect(await outcome).toBe('done');
  });

  it('says what it waits for where there is no terminal: the place in the queue, then the stage, and what its log says last', async () => {
    pipeline.script('in-front', { at: 'packages', hold: true });
    pipeline.script('told', { at: 'packages', hold: true });
    const first = demo({ name: 'in-front', tellEveryMs: 50 });
    await untilRunning('in-front');
    const { printed, outcome } = demo({ name: 'told', tellEveryMs: 50 });
    const untilPrinted = async (words: RegExp) => {
      for (let tries = 0; !words.test(printed()) && tries < 500; tries++) await sleep(20);
      expect(printed()).toMatch(words);
    };
    await untilPrinted(/^waiting for (1 build|a worker) …$/m);
    pipeline.release('in-front');
    expect(await first.outcome).toBe('done');
    await untilPrinted(/^packages …$/m);
    await untilPrinted(/^packages … since \d+ s: \S/m);
    pipeline.release('told');
    expect(await outcome).toBe('done');
    expect(printed()).not.toMatch(/[\r\x1b]/);
  });

  it('tells why a build failed', async () => {
    pipeline.script('bad', { at: 'packages', fail: 'caller' });
    const { printed, outcome } = demo({ name: 'bad' });
    expect(await outcome).toBe('failed');
    for (const words of [
      'in the stage packages (unmet_dependencies): The package x needs y.',
      'Remove x from the recipe.',
      'E: line two',
    ])
      expect(printed()).toContain(words);
    expect(await readdir(outputDir)).toEqual([]);
  });

  it('cancels its build when it is stopped', async () => {
    pipeline.script('stopped', { at: 'packages', hold: true });
    const stop = new AbortController();
    const { printed, outcome } = demo({ name: 'stopped' }, { signal: stop.signal });
    await untilRunning('stopped');
    stop.abort('SIGINT');
    expect(await outcome).toBe('cancelled');
    expect(printed()).toMatch(/The build [0-9a-f-]{36} is cancelled\./);
    for (let tries = 0; !pipeline.runs.find((run) => run.recipe === 'stopped')?.aborted && tries < 500; tries++)
      await sleep(20);
    expect(pipeline.runs.find((run) => run.recipe === 'stopped')?.aborted).toBeTruthy();
  });

  it('says in a sentence what stands in its way', async () => {
    await expect(demo({ template: 'nonsense' }).outcome).rejects.toMatchObject({
      message: 'There is no template "nonsense".',
      hint: expect.stringContaining('debian-server'),
    });
    await expect(demo({ name: 'Not A Name' }).outcome).rejects.toThrow('name');
    await expect(demo({ url: new URL('http://127.0.0.1:2/') }).outcome).rejects.toMatchObject({
      message: expect.stringMatching(/^The factory at http:\/\/127\.0\.0\.1:2 cannot be used: ECONNREFUSED\.$/),
      hint: expect.stringContaining('OPENFACTORY_URL'),
    });
  });
});

it.each([
  ['other content', 'same size!', 'sha256'],
  ['half of it', 'same', 'ended after 4 of 10 bytes'],
  ['too much', 'same size and more', 'larger'],
])('a download that brings %s leaves nothing behind', async (_what, body, words) => {
  const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const download = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    file_name: 'x.iso',
    size_bytes: 10,
    sha256: '0'.repeat(64),
  };
  await expect(
    downloadImage(download, outputDir, { onBytes: () => undefined, signal: new AbortController().signal }),
  ).rejects.toThrow(words);
  expect(await readdir(outputDir)).toEqual([]);
  server.close();
});
