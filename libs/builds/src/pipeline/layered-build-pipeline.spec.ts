import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProgramError } from '#libs/platform';
import { BuildFailure, type PipelineListener } from './build-pipeline.port.js';
import { LayeredBuildPipeline } from './layered-build-pipeline.js';
import { StageCache } from './stage-cache.js';
import { BuildStage } from './stage.js';

/** Fails as often as there are errors, then ends the pipeline, which has no image. */
class FailingStage extends BuildStage {
  readonly name = 'base';
  readonly version = 1;
  made = 0;
  constructor(private readonly errors: Error[]) {
    super();
  }
  inputs = () => undefined;
  make(): Promise<void> {
    const error = this.errors[this.made++];
    return error ? Promise.reject(error) : Promise.resolve();
  }
  take = () => Promise.resolve();
}

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-pipeline-'))));
afterAll(() => rm(dir, { recursive: true, force: true }));

async function run(...errors: Error[]) {
  const stage = new FailingStage(errors);
  const lines: string[] = [];
  const listener: PipelineListener = {
    onStageStarted: () => Promise.resolve(),
    onStageFinished: () => Promise.resolve(),
    onStageProgress: () => undefined,
    onLog: (line) => lines.push(line),
  };
  const disk = {
    require: () => Promise.resolve(),
    watch: (signal: AbortSignal) => ({ signal, full: false, look: () => Promise.resolve(), stop: () => undefined }),
    failure: () => new Error('full'),
  };
  const pipeline = new LayeredBuildPipeline({
    stages: [stage],
    cache: new StageCache(path.join(dir, 'cache')),
    recipes: { resolve: () => Promise.resolve({ recipe: { name: 'x' }, resolution: {} }) } as never,
    disk: disk as never,
    workDir: path.join(dir, 'work'),
    tidy: () => Promise.resolve(),
  });
  const error = await pipeline
    .run({ buildId: 'b', ownerId: 'o', recipe: {} }, listener, new AbortController().signal)
    .then(
      () => undefined,
      (failure: Error) => failure,
    );
  return { made: stage.made, error, lines };
}

const late = () => new ProgramError('id', 'deadline', 'did not end within 10 s');

describe('a stage', () => {
  it('that was too slow is tried once more, and says so', async () => {
    const { made, error, lines } = await run(new Error('the account was not found', { cause: late() }));
    expect(made).toBe(2);
    expect(lines[0]).toContain('base was too slow');
    expect(error?.message).toContain('evidence needs a booted image');
  });

  it('that stays so is the fault of the system', async () => {
    const { made, error } = await run(late(), late());
    expect(made).toBe(2);
    expect(error).toMatchObject({ stage: 'base', whose: 'system', retryable: true });
  });

  it('that failed for another reason, or whose word it is, is not tried again', async () => {
    expect(await run(new Error('broken'))).toMatchObject({ made: 1 });
    expect(
      await run(new BuildFailure('base', 'system', { reason: 'x', message: 'late', cause: late() })),
    ).toMatchObject({ made: 1 });
  });
});
