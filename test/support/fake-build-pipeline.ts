import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import {
  BuildFailure,
  BuildPipeline,
  stageNames,
  type BuiltArtifact,
  type PipelineInput,
  type PipelineListener,
  type PipelineOutcome,
  type StageName,
} from '#libs/builds';

/** What happens at a stage. `hold` waits for `release` or an abort. */
export type Turn = { at: StageName } & ({ hold: true } | { fail: 'caller' | 'system' } | { crash: Error });

class FakePipelineModule {}

/** A pipeline that makes a small image in no time, or does what the script of the recipe's name says. */
export class FakeBuildPipeline extends BuildPipeline {
  readonly runs: { buildId: string; recipe: string; aborted: unknown }[] = [];
  /** Of every image. */
  imageLines = 1_000;
  /** Runs that go on at this moment, and the most there were. */
  atOnce = 0;
  mostAtOnce = 0;
  private readonly scripts = new Map<string, Turn>();
  private readonly held = new Map<string, (() => void)[]>();
  private readonly directory = path.join(os.tmpdir(), `openfactory-fake-${randomUUID()}`);

  readonly module: DynamicModule = {
    module: FakePipelineModule,
    providers: [{ provide: BuildPipeline, useValue: this }],
    exports: [BuildPipeline],
  };

  /** Until it is set again, builds of a recipe of this name do this. */
  script(recipe: string, turn: Turn | undefined): void {
    if (turn) this.scripts.set(recipe, turn);
    else this.scripts.delete(recipe);
  }

  /** Lets the builds of a recipe go on that are held. */
  release(recipe: string): void {
    this.scripts.delete(recipe);
    for (const goOn of this.held.get(recipe)?.splice(0) ?? []) goOn();
  }

  /** Removes what it made and nobody took. */
  async dispose(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  async run(
    { buildId, recipe: { name } }: PipelineInput,
    listener: PipelineListener,
    signal: AbortSignal,
  ): Promise<PipelineOutcome> {
    const recipe = String(name);
    const run = { buildId, recipe, aborted: undefined as unknown };
    this.runs.push(run);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      for (const stage of stageNames) await this.stage(stage, recipe, listener, signal);
      const iso = await this.made(
        `${recipe}.iso`,
        'application/x-iso9660-image',
        `image of ${recipe}\n`.repeat(this.imageLines),
      );
      return {
        artifacts: [iso, await this.made('recipe.json', 'application/json', '{}\n')],
        imageSha256: iso.sha256,
        imageId: iso.sha256,
      };
    } catch (error) {
      run.aborted = signal.reason;
      throw error;
    } finally {
      this.atOnce--;
    }
  }

  async made(name: string, mediaType: string, text: string): Promise<BuiltArtifact> {
    await mkdir(this.directory, { recursive: true });
    const file = path.join(this.directory, randomUUID());
    await writeFile(file, text);
    return {
      name,
      path: file,
      mediaType,
      sizeBytes: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
    };
  }

  private async stage(
    stage: StageName,
    recipe: string,
    listener: PipelineListener,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    await listener.onStageStarted(stage);
    listener.onLog(`${stage}: begun für ${recipe}`);
    listener.onStageProgress(stage, 0.5);
    const turn = this.scripts.get(recipe);
    if (turn?.at === stage) await this.take(turn, recipe, signal);
    await listener.onStageFinished(stage, { seconds: 0.01, fromCache: stage === 'base' });
  }

  private async take(turn: Turn, recipe: string, signal: AbortSignal): Promise<void> {
    if ('crash' in turn) throw turn.crash;
    if ('hold' in turn) {
      await new Promise<void>((resolve, reject) => {
        this.held.set(recipe, [...(this.held.get(recipe) ?? []), resolve]);
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        if (signal.aborted) reject(signal.reason as Error);
      });
      return;
    }
    const image =
      turn.at === 'boot'
        ? [await this.made(`${recipe}.iso`, 'application/x-iso9660-image', 'an image that does not boot\n')]
        : [];
    const words =
      turn.fail === 'caller'
        ? { reason: 'unmet_dependencies', message: 'The package x needs y.', hint: 'Remove x from the recipe.' }
        : { reason: 'mirror_down', message: 'The mirror does not answer.', hint: 'Try later.' };
    throw new BuildFailure(turn.at, turn.fail, words, ['E: line one', 'E: line two'], image);
  }
}
