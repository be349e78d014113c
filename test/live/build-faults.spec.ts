import { readdir, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stageNames, type StageName } from '#libs/builds';
import { runProgram } from '#libs/platform';
import { findMirrors } from '../../libs/recipes/src/packages/apt/apt-mirrors.js';
import {
  FactoryProcess,
  makeDataDir,
  namespacesOn,
  serialTails,
  untilNothingIsLeft,
} from '../support/factory-process.js';
import { FaultyMirror, type MirrorHealth } from '../support/faulty-mirror.js';
import { itWhere } from '../support/it-where.js';

/** One factory and one base for the whole file; boots under emulation on a loaded machine take minutes. */
const minutes = 60_000;
const recipe = { name: 'faults', base_image: 'debian-bookworm', packages: ['tree'], output: { compression: 'fast' } };
const asRoot = process.getuid?.() === 0;
/** How long builds took from the request to their cancelled status: told at the end, promised as 5 s on a quiet machine. */
const cancelledAfterMs: Partial<Record<StageName, number>> = {};

let data: Awaited<ReturnType<typeof makeDataDir>>;
let mirror: FaultyMirror;
let factory: FactoryProcess;
let url: string;

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers of the factory
const isFinal = ({ status }: Json) => ['completed', 'failed', 'cancelled'].includes(status);
const at = ({ stage }: Json) => stageNames.indexOf(stage);

beforeAll(async () => {
  const real = await findMirrors('debian', undefined);
  mirror = await FaultyMirror.start(async (where, { headers }) => {
    const [, side, rest] = /^\/(debian|debian-security)(\/.*)$/.exec(where) ?? [];
    const since = headers['if-modified-since'];
    return await fetch(`${side === 'debian' ? real.main : real.security}${rest}`, {
      headers: { 'accept-encoding': 'identity', ...(since && { 'if-modified-since': since }) },
    });
  });
  data = await makeDataDir();
  await start();
}, 2 * minutes);
afterAll(async () => {
  console.info(`Cancelled after (ms): ${JSON.stringify(cancelledAfterMs)}`);
  await factory.kill('SIGTERM');
  await mirror.stop();
  expect(await untilNothingIsLeft(data.dir)).toEqual([]);
  await data.remove();
}, 2 * minutes);

async function start(): Promise<void> {
  factory = FactoryProcess.start(data.dir, { OPENFACTORY_DEBIAN_MIRROR: `${mirror.url}/debian` });
  url = await factory.ready();
}
async function post(where: string, body?: object): Promise<Json> {
  const response = await fetch(`${url}/api/builds${where}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return text ? (JSON.parse(text) as Json) : {};
}
const create = async (): Promise<string> => (await post('', { recipe })).build_id;
const retry = async (id: string): Promise<string> => (await post(`/${id}/retry`, {})).build_id;
const stateOf = async (id: string): Promise<Json> =>
  (await (await fetch(`${url}/api/builds/${id}/status`)).json()) as Json;

/** @throws before the test is given up, with what is known of a build that does not go on */
async function until(id: string, reached: (state: Json) => boolean): Promise<Json> {
  for (const patience = Date.now() + 12 * minutes; ;) {
    const state = await stateOf(id);
    if (reached(state) || isFinal(state)) return state;
    if (Date.now() > patience)
      throw new Error(
        `The build does not go on: ${JSON.stringify(state)}\n${await serialTails(data.dir)}\n${factory.output.slice(-4_000)}`,
      );
    await sleep(25);
  }
}
const ended = (id: string) => until(id, isFinal);
/** @throws where the build was not seen in the stage */
async function untilIn(id: string, stage: StageName): Promise<void> {
  const state = await until(id, (now) => at(now) >= stageNames.indexOf(stage));
  if (isFinal(state) || state.stage !== stage)
    throw new Error(`The build was not seen in ${stage}: ${JSON.stringify(state)}`);
}
/** @throws where the build ended before it was past the stage */
async function untilPast(id: string, stage: StageName): Promise<Json> {
  const state = await until(id, (now) => at(now) > stageNames.indexOf(stage));
  if (state.status === 'failed' || state.status === 'cancelled')
    throw new Error(`The build did not get past ${stage}: ${JSON.stringify(state)}`);
  return state;
}
async function cancel(id: string): Promise<number> {
  const asked = performance.now();
  await post(`/${id}/cancel`);
  expect(await ended(id)).toMatchObject({ status: 'cancelled', error: null });
  return Math.round(performance.now() - asked);
}

/** Of builds that have ended nothing is left: no process, no mount, no scratch, nothing half-made in cache and pool. */
async function expectNothingLeft(): Promise<void> {
  const builds = path.join(data.dir, 'builds');
  const list = async (dir: string) => await readdir(path.join(builds, dir)).catch(() => []);
  for (const patience = Date.now() + 10_000; (await namespacesOn(builds)).length && Date.now() < patience;)
    await sleep(50);
  expect(await namespacesOn(builds)).toEqual([]);
  expect(await list('work')).toEqual([]);
  for (const stage of await list('cache'))
    for (const name of await list(`cache/${stage}`)) expect(name).toMatch(/^[0-9a-f]{64}$/);
  for (const prefix of await list('pool'))
    for (const name of await list(`pool/${prefix}`)) expect(name).toMatch(/^[0-9a-f]{64}\.deb$/);
}

describe('a mirror that fails', () => {
  let failed: string;

  it(
    'before its index is there fails the build in resolve',
    async () => {
      await mirror.become('down');
      failed = await create();
      expect(await ended(failed)).toMatchObject({
        status: 'failed',
        error: { stage: 'resolve', fault: 'system', reason: 'package_index_unavailable', hint: expect.any(String) },
      });
      await expectNothingLeft();
    },
    5 * minutes,
  );

  it.each<[MirrorHealth, RegExp]>([
    ['half', /could not be fetched from the mirror/],
    ['wrong', /does not have the hash/],
    ['down', /ECONNREFUSED/],
  ])(
    '("%s") in the middle of a build fails it, and leaves no half package',
    async (health, message) => {
      // The index can be had, or is there already; packages cannot.
      await mirror.become(health);
      failed = await retry(failed);
      expect(await ended(failed)).toMatchObject({
        status: 'failed',
        error: {
          stage: 'fetch',
          fault: 'system',
          reason: 'package_fetch_failed',
          message: expect.stringMatching(message),
          hint: expect.any(String),
        },
      });
      await expectNothingLeft();
    },
    5 * minutes,
  );

  it(
    'and is well again lets a retry go on',
    async () => {
      await mirror.become('well');
      const build = await retry(failed);
      await untilPast(build, 'fetch');
      await cancel(build);
      await expectNothingLeft();
    },
    5 * minutes,
  );
});

describe('a disk that is too small', () => {
  const builds = () => path.join(data.dir, 'builds');
  const mebibytes = (size: number) =>
    runProgram('mount', ['-t', 'tmpfs', '-o', `remount,size=${size}M`, 'of-small-disk', builds()], {
      deadlineMs: 10_000,
    });

  itWhere(asRoot, 'only root can mount a small disk')(
    'fails a build before it begins, or when it is full, and not the next one',
    async () => {
      await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=1000M,mode=755', 'of-small-disk', builds()], {
        deadlineMs: 10_000,
      });
      let failed: string;
      try {
        failed = await create();
        expect(await ended(failed)).toMatchObject({
          status: 'failed',
          error: {
            stage: 'fetch',
            fault: 'system',
            reason: 'disk_full',
            message: expect.stringMatching(
              /^The disk has \d+ MiB free; this build needs about \d+ MiB \(fetch \d+, base \d+, packages \d+, squashfs \d+, image \d+\)/,
            ),
          },
        });
        await mebibytes(6_000);
        failed = await retry(failed);
        await untilIn(failed, 'base');
        const { blocks, bsize, bavail } = await statfs(builds());
        await mebibytes(Math.ceil(((blocks - bavail) * bsize) / 2 ** 20) + 100);
        expect(await ended(failed)).toMatchObject({
          status: 'failed',
          error: { stage: 'base', fault: 'system', reason: 'disk_full', hint: expect.any(String) },
        });
        await expectNothingLeft();
        expect(await readdir(path.join(builds(), 'cache/base'))).toEqual([]);
      } finally {
        await runProgram('umount', ['--lazy', builds()], { deadlineMs: 10_000 });
      }
      const build = await retry(failed);
      await untilPast(build, 'fetch');
      await cancel(build);
      await expectNothingLeft();
    },
    10 * minutes,
  );
});

describe('a build is cancelled in a stage, or its factory is killed', () => {
  /** A package that has to be fetched again, from a mirror that holds its breath: otherwise fetch is over before it is seen. */
  async function lingerInFetch(): Promise<void> {
    const pool = path.join(data.dir, 'builds/pool');
    const [prefix] = await readdir(pool);
    await rm(path.join(pool, prefix!), { recursive: true });
    await mirror.become('stalls');
  }

  /** Without what apt answered before: otherwise resolve is over before it is seen. */
  const lingerInResolve = async () =>
    await rm(path.join(data.dir, 'builds/cache/resolve'), { recursive: true, force: true });

  it.each(stageNames)(
    '%s',
    async (stage) => {
      // Cancelled: nothing of the stage is kept. In the last one there is nothing left to cancel.
      if (stage === 'fetch') await lingerInFetch();
      if (stage === 'resolve') await lingerInResolve();
      if (stage !== 'evidence') {
        const first = await create();
        await untilIn(first, stage);
        cancelledAfterMs[stage] = await cancel(first);
        await expectNothingLeft();
      }
      // Killed: everything ends with the factory, and the next one goes on with the build.
      if (stage === 'resolve') await lingerInResolve();
      const second = await create();
      await untilIn(second, stage);
      await factory.kill('SIGKILL');
      expect(await untilNothingIsLeft(data.dir)).toEqual([]);
      expect(await namespacesOn(path.join(data.dir, 'builds'))).toEqual([]);
      await mirror.become('well');
      await start();
      if (stage === 'boot' || stage === 'evidence') {
        expect(await ended(second)).toMatchObject({ status: 'completed', verified: true });
      } else {
        await untilPast(second, stage);
        await cancel(second);
      }
      await expectNothingLeft();
    },
    15 * minutes,
  );
});
