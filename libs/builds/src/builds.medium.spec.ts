import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  anonymousCaller,
  HashingQueue,
  loadSettings,
  parseInput,
  PlatformModule,
  QueueService,
  schemaOf,
  type DtoClass,
} from '#libs/platform';
import { recipeEntities } from '#libs/recipes';
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.js';
import { FakeBuildPipeline } from '../../../test/support/fake-build-pipeline.js';
import { BuildLogRepository, mostLogBytes } from './build-log.repository.js';
import { BuildQueryService } from './build-query.service.js';
import { BuildQueue } from './build-queue.service.js';
import { BuildRecorder, ClaimLost } from './build-recorder.js';
import { BuildRunRepository, mostCrashes, type Claim } from './build-run.repository.js';
import { BuildRunner } from './build-runner.service.js';
import { BuildReader } from './build.reader.js';
import { BuildRepository } from './build.repository.js';
import { BuildService } from './build.service.js';
import {
  BuildDetails,
  BuildList,
  BuildState,
  CreateBuildInput,
  CreatedBuild,
  IsoDownload,
  ListBuildsInput,
} from './builds.dto.js';
import { BuildsJobs } from './builds.jobs.js';
import { BuildsTools } from './builds.tools.js';
import { buildEntities, BuildsModule } from './index.js';

let database: TestDatabase;
let app: INestApplicationContext;
let dataDir: string;
const pipeline = new FakeBuildPipeline();
const ada = anonymousCaller('192.0.2.1');
const recipe = (name: string) => ({
  name,
  base_image: 'debian-bookworm',
  users: [{ username: 'ada', password: 'correct horse' }],
});
const never = new AbortController().signal;

/** No worker runs here: a test is the worker. */
beforeAll(async () => {
  database = await cloneDatabase();
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-builds-'));
  const secret = 'x'.repeat(32);
  const { settings } = loadSettings({
    OPENFACTORY_ROLES: 'api',
    OPENFACTORY_LOG_LEVEL: 'silent',
    OPENFACTORY_DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    OPENFACTORY_SECRET: secret,
    OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER: '100',
    OPENFACTORY_ANONYMOUS_BUILDS: '100',
  });
  const module = await Test.createTestingModule({
    imports: [
      PlatformModule.forRoot({
        settings,
        databaseUrl: database.url,
        secret,
        entities: [...recipeEntities, ...buildEntities],
      }),
      BuildsModule.forRoot({ pipeline: pipeline.module }),
    ],
  }).compile();
  app = await module.createNestApplication({ logger: false }).init();
}, 60_000);
afterAll(async () => {
  await app?.close();
  await database?.drop();
  await pipeline.dispose();
  await rm(dataDir, { recursive: true, force: true });
});

const create = async (name: string) =>
  (await app.get(BuildService).create(ada, parseInput(CreateBuildInput, { recipe: recipe(name) }))).build_id;
const row = async (id: string) => (await database.query('SELECT * FROM build WHERE id = $1', [id]))[0]!;
const leaseIdOf = async (id: string) => String((await row(id)).lease_id);
const run = async (id: string, signal = never) => await app.get(BuildRunner).run(id, await leaseIdOf(id), signal);
const claim = async (id: string): Promise<Claim> => (await app.get(BuildRunRepository).claim(id, await leaseIdOf(id)))!;
const state = (id: string) => app.get(BuildQueryService).state(ada, id);
const until = async (id: string, stage: string) => {
  for (let tries = 0; (await row(id)).stage !== stage && tries < 1_000; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
};
const logOf = async (id: string) => {
  const pieces: Buffer[] = [];
  for await (const piece of (await app.get(BuildQueryService).log(ada, id, { from: 0 })).pieces) pieces.push(piece);
  return Buffer.concat(pieces).toString();
};

describe('a build in the queue', () => {
  it('has a job of its own from the moment that it exists', async () => {
    const id = await create('queued');
    const jobs = await database.query(
      "SELECT data FROM pgboss.job WHERE name = 'build.run' AND data->>'build_id' = $1",
      [id],
    );
    expect(jobs).toEqual([{ data: { build_id: id, lease_id: await leaseIdOf(id) } }]);
    expect(await app.get(BuildQueue).recover()).toBe(0);
  });

  it('goes to another worker when its own is not heard of for half a minute, however often', async () => {
    const [queue] = await database.query(
      "SELECT heartbeat_seconds, retry_limit, expire_seconds FROM pgboss.queue WHERE name = 'build.run'",
    );
    expect(queue).toEqual({ heartbeat_seconds: 30, retry_limit: 1_000, expire_seconds: 21_600 });
  });

  it('is found again when its job was lost, waiting or in the middle', async () => {
    const waiting = await create('lost-1');
    const running = await create('lost-2');
    await claim(running);
    await database.query("DELETE FROM pgboss.job WHERE name = 'build.run'");
    const lost = Number(
      (await database.query("SELECT count(*) FROM build WHERE status IN ('pending', 'building')"))[0]!.count,
    );
    expect(await app.get(BuildQueue).recover()).toBe(lost);
    expect(await app.get(BuildQueue).recover()).toBe(0);
    for (const id of [waiting, running]) {
      expect((await row(id)).status).toBe('pending');
      await run(id);
      expect((await row(id)).status).toBe('completed');
    }
  });

  it('is cancelled at once, and its job then does nothing', async () => {
    const id = await create('unwanted');
    await app.get(BuildService).cancel(ada, id);
    expect(await state(id)).toMatchObject({ status: 'cancelled' });
    const before = pipeline.runs.length;
    await run(id);
    expect(pipeline.runs.length).toBe(before);
  });
});

describe('a worker', () => {
  it('that shows an old lease gets nothing', async () => {
    const id = await create('lease');
    const old = await leaseIdOf(id);
    await app.get(BuildQueue).requeue(id);
    expect(await app.get(BuildRunRepository).claim(id, old)).toBeUndefined();
    await expect(claim(id)).resolves.toMatchObject({ fencingToken: 2, crashes: 0 });
  });

  it('that died is followed by another, and what the first still writes is void', async () => {
    const id = await create('died');
    const first = await claim(id);
    const runs = app.get(BuildRunRepository);
    await runs.stageStarted(first, 'boot', 80);
    expect(await state(id)).toMatchObject({ status: 'testing', progress: 80 });
    const second = await claim(id);
    expect(second).toMatchObject({ fencingToken: 2, crashes: 1 });
    expect(await state(id)).toMatchObject({ status: 'building', progress: 80 });
    expect(await runs.stageStarted(first, 'evidence', 99)).toBe('lost');
    expect(await runs.progress(first, 99)).toBe('lost');
    expect(await runs.finish(first, { status: 'completed' })).toBe(false);
    expect(await app.get(BuildLogRepository).append(id, first.fencingToken, Buffer.from('x\n'))).toBe(false);
    expect(await runs.stageStarted(second, 'resolve', 0)).toBe('held');
    expect(await state(id)).toMatchObject({ status: 'building', progress: 80 });
  });

  it('that lost its build stops its pipeline and spoils nothing', async () => {
    const id = await create('stolen');
    pipeline.script('stolen', { at: 'packages', hold: true });
    const working = run(id);
    await until(id, 'packages');
    await claim(id);
    const recorder = new BuildRecorder(
      { ...(await claim(id)), fencingToken: 1 },
      app.get(BuildRunRepository),
      app.get(BuildLogRepository),
      { cancelled: () => undefined, failed: () => undefined },
    );
    recorder.onLog('too late');
    await recorder.close();
    expect(recorder.failure).toBeInstanceOf(ClaimLost);
    pipeline.release('stolen');
    await working;
    expect(await state(id)).toMatchObject({ status: 'building', progress: expect.any(Number) });
    expect(await readdir(path.join(dataDir, 'artifacts', id)).catch(() => [])).toEqual([]);
  });

  it('is not let at a build that kills every worker', async () => {
    const id = await create('killer');
    for (let death = 0; death <= mostCrashes; death++) await claim(id);
    await run(id);
    expect(await state(id)).toMatchObject({ status: 'failed', error: { reason: 'worker_died', fault: 'system' } });
  });

  it('that is stopped gives the build back with a new job', async () => {
    const id = await create('stopped');
    pipeline.script('stopped', { at: 'squashfs', hold: true });
    const stop = new AbortController();
    const working = run(id, stop.signal);
    await until(id, 'squashfs');
    const old = await leaseIdOf(id);
    stop.abort();
    await working;
    expect(await row(id)).toMatchObject({ status: 'pending', stage: null, crashes: 0, finished_at: null });
    expect(await leaseIdOf(id)).not.toBe(old);
    expect(await app.get(BuildQueue).recover()).toBe(0);
    pipeline.script('stopped', undefined);
    await run(id);
    expect(await state(id)).toMatchObject({ status: 'completed', progress: 100 });
    expect(await logOf(id)).toContain('The build goes on');
  });

  it('does not begin a build that was to be cancelled when its worker died', async () => {
    const id = await create('cancelled-late');
    await claim(id);
    await app.get(BuildService).cancel(ada, id);
    const before = pipeline.runs.length;
    await run(id);
    expect(await state(id)).toMatchObject({ status: 'cancelled', cancel_requested: true });
    expect(pipeline.runs.length).toBe(before);
  });
});

describe('the log', () => {
  it('is cut where it gets too long, and says so', async () => {
    const id = await create('chatty');
    const held = await claim(id);
    const recorder = new BuildRecorder(held, app.get(BuildRunRepository), app.get(BuildLogRepository), {
      cancelled: () => undefined,
      failed: () => undefined,
    });
    for (let line = 0; line < 11_000; line++) recorder.onLog('x'.repeat(999));
    await recorder.close();
    recorder.onLog('after the end');
    await recorder.close();
    const log = await logOf(id);
    expect(log.length).toBeLessThan(mostLogBytes + 100);
    expect(log.trim().split('\n').at(-1)).toBe('[The log was cut here: it reached 8 MiB.]');
    expect((await row(id)).log_bytes).toBe(String(Buffer.byteLength(log)));
  });

  it('holds one line for one line, whatever is in it', async () => {
    const id = await create('odd-lines');
    const recorder = new BuildRecorder(await claim(id), app.get(BuildRunRepository), app.get(BuildLogRepository), {
      cancelled: () => undefined,
      failed: () => undefined,
    });
    for (const line of ['a\nb\rc\u0000d', 'ü'.repeat(20_000), '']) recorder.onLog(line);
    await recorder.close();
    expect((await logOf(id)).split('\n')).toEqual(['a b c d', 'ü'.repeat(16_384), '', '']);
  });
});

describe('artifacts', () => {
  it('are deleted for their age, and those of no build too; the build stays', async () => {
    const id = await create('aged');
    await run(id);
    const young = await create('young');
    await run(young);
    const orphan = randomUUID();
    await app.get(BuildRunner)['store'].put({ group: orphan, ...(await pipeline.made('x', 'text/plain', 'x')) });
    const longAgo = new Date('2020-01-01');
    const directory = path.join(dataDir, 'artifacts', orphan);
    for (const file of await readdir(directory)) await utimes(path.join(directory, file), longAgo, longAgo);
    await utimes(directory, longAgo, longAgo);
    await database.query("UPDATE build SET finished_at = now() - interval '91 days' WHERE id = $1", [id]);
    await app.get(BuildsJobs).expireArtifacts();
    const kept = await readdir(path.join(dataDir, 'artifacts'));
    expect(kept).toContain(young);
    expect(kept).not.toContain(id);
    expect(kept).not.toContain(orphan);
    expect(await app.get(BuildQueryService).get(ada, id)).toMatchObject({
      status: 'completed',
      artifacts: [],
      artifacts_deleted_at: expect.any(String),
    });
    await expect(app.get(BuildsTools).getIsoDownloadUrl(ada, { build_id: id })).rejects.toMatchObject({
      reason: 'image_deleted',
    });
    await expect(app.get(BuildReader).image(ada, id)).rejects.toMatchObject({ reason: 'build_without_image' });
    await expect(app.get(BuildReader).image(ada, young)).resolves.toMatchObject({ name: 'young.iso' });
  });
});

it('takes no more of a caller whose ended builds fill their room, before any password is hashed, and repeats what was taken', async () => {
  const eve = anonymousCaller('192.0.2.66');
  const hashings = jest.spyOn(app.get(HashingQueue), 'run');
  const ask = async (name: string, key?: string) =>
    await app
      .get(BuildService)
      .create(eve, parseInput(CreateBuildInput, { recipe: recipe(name), ...(key && { idempotency_key: key }) }));
  const { build_id } = await ask('first', 'once');
  expect(hashings).toHaveBeenCalledTimes(1);
  await database.query("UPDATE build SET status = 'failed', log_bytes = 512::bigint << 20 WHERE id = $1", [build_id]);
  await expect(ask('second')).rejects.toMatchObject({
    kind: 'quota',
    reason: 'build_records_quota',
    message: expect.stringContaining('512 MiB'),
  });
  expect(hashings).toHaveBeenCalledTimes(1);
  expect((await ask('first', 'once')).build_id).toBe(build_id);
  await app.get(BuildService).delete(eve, build_id);
  await ask('third');
  hashings.mockRestore();
});

it('an estimate comes from what earlier builds took', async () => {
  await run(await create('earlier'));
  expect(Object.keys(await app.get(BuildRepository).typicalSeconds())).toHaveLength(10);
  expect(await state(await create('later'))).toMatchObject({
    status: 'pending',
    estimated_seconds_left: expect.any(Number),
  });
});

it('the tools answer in the shape that they publish', async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const misfit = (dto: DtoClass, value: unknown) => {
    const fits = ajv.compile(schemaOf(dto));
    fits(JSON.parse(JSON.stringify(value)));
    return fits.errors ?? [];
  };
  const tools = app.get(BuildsTools);
  pipeline.script('misshapen', { at: 'boot', fail: 'system' });
  const ids = [await create('shape'), await create('misshapen')];
  for (const id of ids) await run(id);
  ids.push(await create('waiting'));
  for (const id of ids) {
    expect(misfit(BuildDetails, await tools.getBuild(ada, { build_id: id }))).toEqual([]);
    expect(misfit(BuildState, await tools.getBuildStatus(ada, { build_id: id }))).toEqual([]);
  }
  expect(misfit(BuildList, await tools.listBuilds(ada, parseInput(ListBuildsInput, { limit: '5' })))).toEqual([]);
  expect(
    misfit(
      CreatedBuild,
      await tools.createBuild(ada, parseInput(CreateBuildInput, { recipe: recipe('shape-2') }), new AbortController()),
    ),
  ).toEqual([]);
  expect(misfit(CreatedBuild, await tools.retryBuild(ada, { build_id: ids[1]! }))).toEqual([]);
  expect(misfit(IsoDownload, await tools.getIsoDownloadUrl(ada, { build_id: ids[0]! }))).toEqual([]);
  await app.get(QueueService).send('build.recover');
});
