import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError, clip, errorMessage, isLate, untilAborted } from '#libs/platform';
import {
  BuildFailure,
  BuildPipeline,
  type BuiltArtifact,
  type PipelineInput,
  type PipelineListener,
  type PipelineOutcome,
  type StageName,
} from './build-pipeline.port.js';
import { isDiskFull, type DiskGuard, type DiskNeed, type DiskWatch } from './disk-guard.js';
import { fileSha256 } from './file-hash.js';
import type { RecipeResolver } from './recipe-resolver.js';
import type { BuildStage, PipelineState, StageContext } from './stage.js';
import type { StageCache } from './stage-cache.js';
import { discardTree, discardTrees } from './tree/owned-dir.js';
import { withoutPaths } from './without-paths.js';

const keptLogLines = 20;
const artifactPrefix = 'out-';

export interface PipelineParts {
  /** In order; evidence is the runner's own. */
  stages: BuildStage[];
  cache: StageCache;
  recipes: RecipeResolver;
  disk: DiskGuard;
  /** Scratch directories of running builds. */
  workDir: string;
  /** Where images are booted; what is there belongs to a boot that runs. */
  bootDir?: string;
  /** Called when no build runs any more. */
  tidy: () => Promise<void>;
}

/** The runner: order, look-up by hash, timing, log, cancellation, clean-up, and whose fault a failure was. */
export class LayeredBuildPipeline extends BuildPipeline {
  private running = 0;
  private tidying: Promise<void> = Promise.resolve();

  constructor(private readonly parts: PipelineParts) {
    super();
  }

  async run(input: PipelineInput, listener: PipelineListener, signal: AbortSignal): Promise<PipelineOutcome> {
    await untilAborted(this.tidying, signal);
    this.running++;
    const workDir = path.join(this.parts.workDir, `${input.buildId}-${randomBytes(4).toString('hex')}`);
    try {
      await mkdir(workDir, { recursive: true, mode: 0o755 });
      return await this.runStages(input, { workDir, listener, log: [], signal });
    } finally {
      // The artifacts of a success were handed over as files of their own directory.
      await discardTree(workDir);
      if (--this.running === 0) {
        // A cache that cannot be tidied is no reason to fail a build that is done; the next one tries again.
        this.tidying = this.tidy().catch((error: unknown) =>
          listener.onLog(`The cache could not be tidied: ${this.shown(errorMessage(error))}`),
        );
        await this.tidying;
      }
    }
  }

  /** What is half-made or in a scratch place while no build runs is of no use to anybody: to be asked before the first one. */
  async leftOvers(): Promise<string[]> {
    const { workDir, bootDir, cache } = this.parts;
    const scratch = await Promise.all(
      [workDir, ...(bootDir ? [bootDir] : [])].map(async (dir) =>
        (await readdir(dir).catch(() => [])).map((name) => path.join(dir, name)),
      ),
    );
    return [...(await cache.partials()), ...scratch.flat()];
  }

  /** What could not be removed before is tried again; artifacts wait for whoever takes them over. */
  private async tidy(): Promise<void> {
    await discardTrees((await this.leftOvers()).filter((place) => !path.basename(place).startsWith(artifactPrefix)));
    await this.parts.tidy();
  }

  private async runStages(input: PipelineInput, run: RunContext): Promise<PipelineOutcome> {
    await this.parts.disk.require('resolve', []);
    const { recipe, resolution } = await this.parts.recipes.resolve(input);
    const state: PipelineState = { input, recipe, resolution, aptSources: [], layers: [], squashfs: [] };
    for (const stage of this.parts.stages) {
      await this.runStage(stage, state, run);
      if (stage.name === 'resolve') await this.parts.disk.require('fetch', await this.needs(state));
    }
    return await this.evidence(state, run);
  }

  private async runStage(stage: BuildStage, state: PipelineState, run: RunContext): Promise<void> {
    const { listener, log, signal, workDir } = run;
    signal.throwIfAborted();
    await listener.onStageStarted(stage.name);
    const began = performance.now();
    const disk = this.parts.disk.watch(signal);
    const context: StageContext = {
      workDir,
      signal: disk.signal,
      progress: (fraction) => listener.onStageProgress(stage.name, fraction),
      log: (line) => {
        const clean = clip(this.shown(line), 2_000);
        log.push(clean);
        if (log.length > keptLogLines) log.shift();
        listener.onLog(clean);
      },
    };
    try {
      const fromCache = await this.obtain(stage, state, context, disk).catch(async (error: unknown) => {
        // What a stage itself made a failure of is its word; a program that only was late is asked once more.
        if (error instanceof BuildFailure || !isLate(error) || context.signal.aborted) throw error;
        context.log(`The stage ${stage.name} was too slow (${errorMessage(error)}); it is tried once more`);
        await discardTree(path.join(workDir, stage.name));
        return await this.obtain(stage, state, context, disk);
      });
      await listener.onStageFinished(stage.name, {
        seconds: Math.round((performance.now() - began) / 100) / 10,
        fromCache,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw await this.asFailure(
        stage.name,
        disk.full || isDiskFull(error) ? this.parts.disk.failure(stage.name, error) : error,
        state,
        log,
      );
    } finally {
      disk.stop();
    }
  }

  private async obtain(
    stage: BuildStage,
    state: PipelineState,
    context: StageContext,
    disk: DiskWatch,
  ): Promise<boolean> {
    const make = async (outDir: string) => {
      try {
        await stage.make(state, outDir, context);
      } catch (error) {
        await disk.look();
        throw error;
      }
    };
    const inputs = stage.inputs(state);
    if (inputs !== undefined) {
      const { dir, key, hit } = await this.parts.cache.obtain(stage.name, stage.version, inputs, make, context.signal);
      await stage.take(state, dir, key);
      return hit;
    }
    const outDir = path.join(context.workDir, stage.name);
    await mkdir(outDir, { mode: 0o755 });
    await make(outDir);
    await stage.take(state, outDir, '');
    return false;
  }

  /** A failed boot keeps its image: it was written, it is only not verified. */
  private async asFailure(
    stage: StageName,
    error: unknown,
    state: PipelineState,
    log: string[],
  ): Promise<BuildFailure> {
    const artifacts =
      stage === 'boot' && state.image
        ? [await this.imageArtifact(state.recipe.name, state.image, state.input.buildId)]
        : [];
    const lastLines = (
      error instanceof BuildFailure && error.lastLines.length ? error.lastLines : log.slice(-keptLogLines)
    ).map((line) => this.shown(line));
    if (!(error instanceof AppError))
      return new BuildFailure(
        stage,
        'system',
        {
          reason: 'stage_failed',
          message: `The stage ${stage} failed: ${clip(this.shown(errorMessage(error)), 500)}`,
          hint: 'Retry the build; if it stays, tell your operator the build id.',
          retryable: true,
          cause: error,
        },
        lastLines,
        artifacts,
      );
    const { reason, message, hint, retryable } = error;
    const whose = error instanceof BuildFailure ? error.whose : error.fault;
    return new BuildFailure(
      stage,
      whose,
      {
        reason,
        message: this.shown(message),
        hint,
        retryable,
        cause: error instanceof BuildFailure ? error.cause : error,
      },
      lastLines,
      artifacts,
    );
  }

  /** Where the factory keeps its things is nobody's business. */
  private shown(text: string): string {
    return withoutPaths(text, path.dirname(this.parts.workDir));
  }

  private async evidence(state: PipelineState, { workDir, listener }: RunContext): Promise<PipelineOutcome> {
    const { image, bootReport, lock, recipe, input } = state;
    if (!image || !lock || !bootReport) throw new Error('evidence needs a booted image');
    await listener.onStageStarted('evidence');
    const began = performance.now();
    const written = async (name: string, value: unknown) => {
      const file = path.join(workDir, name);
      await writeFile(file, typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`);
      return file;
    };
    const add = (name: string, file: string, mediaType: string) => this.artifact(name, file, mediaType, input.buildId);
    const artifacts = [
      await this.imageArtifact(recipe.name, image, input.buildId),
      await add('recipe.json', await written('recipe.json', input.recipe), 'application/json'),
      await add('lock.json', await written('lock.json', lock), 'application/json'),
      await add('boot.json', bootReport.jsonPath, 'application/json'),
      await add('serial.log', bootReport.serialPath, 'text/plain'),
      ...(bootReport.screenshotPath ? [await add('screenshot.png', bootReport.screenshotPath, 'image/png')] : []),
    ];
    artifacts.push(
      await add(
        'SHA256SUMS',
        await written('SHA256SUMS', artifacts.map(({ sha256, name }) => `${sha256}  ${name}\n`).join('')),
        'text/plain',
      ),
    );
    await listener.onStageFinished('evidence', {
      seconds: Math.round((performance.now() - began) / 100) / 10,
      fromCache: false,
    });
    return { artifacts, imageSha256: image.sha256, imageId: image.id };
  }

  /** The image was hashed while it was written, and is hashed again by whoever takes it over. */
  private async imageArtifact(
    recipeName: string,
    { path: from, sha256 }: NonNullable<PipelineState['image']>,
    buildId: string,
  ): Promise<BuiltArtifact> {
    return await this.artifact(`${recipeName}.iso`, from, 'application/x-iso9660-image', buildId, sha256);
  }

  /** A file of its own for whoever takes it over: a link where the disk allows, so that an image of a gigabyte is not copied. */
  private async artifact(
    name: string,
    from: string,
    mediaType: string,
    buildId: string,
    sha256?: string,
  ): Promise<BuiltArtifact> {
    const file = path.join(this.parts.workDir, `${artifactPrefix}${buildId}-${randomBytes(8).toString('hex')}`);
    await link(from, file).catch(() => copyFile(from, file));
    return {
      name,
      path: file,
      mediaType,
      sizeBytes: (await stat(file)).size,
      sha256: sha256 ?? (await fileSha256(file)),
    };
  }

  /** What a stage needs whose result is not in the cache; one whose inputs are not known yet counts as missing. */
  private async needs(state: PipelineState): Promise<DiskNeed[]> {
    const missing = this.parts.stages.filter((stage) => {
      const inputs = stage.inputs(state);
      return inputs === undefined || !this.parts.cache.has(stage.name, stage.version, inputs);
    });
    const needs = await Promise.all(
      missing.map(async (stage) => ({ stage: stage.name, bytes: await stage.needsBytes(state) })),
    );
    return needs.filter(({ bytes }) => bytes > 0);
  }
}

interface RunContext {
  workDir: string;
  listener: PipelineListener;
  log: string[];
  signal: AbortSignal;
}
