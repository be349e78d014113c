import path from 'node:path';
import { ProgramError } from '#libs/platform';
import { whyLost } from '#libs/recipes';
import { BuildFailure } from '../build-pipeline.port.js';
import { planImage } from '../configure/plan-image.js';
import type { PlannedStep } from '../configure/image-plan.js';
import { planPlace, treeRunnerArguments, writePlan } from '../configure/tree-runner.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { cleanTree } from '../tree/clean-tree.js';
import { makeLayer, type LayerScratch } from '../tree/layer-scratch.js';
import { runInTree } from '../tree/tree-sandbox.js';

/** What a recipe holds is small; what its programs make of it may be larger (locales, user databases). */
const layerBounds = { bytes: 4 * 2 ** 30, inodes: 500_000 };

/** The recipe's layer: files, users, settings, units. Written from inside the tree, so that no link in it leads a write out of it. */
export class ConfigureStage extends BuildStage {
  readonly name = 'configure';
  readonly version = 4;

  inputs({ layers, recipe, resolution, aptSources }: PipelineState): unknown {
    const { beforeCleaning, afterCleaning } = planImage(recipe, resolution, aptSources);
    const plain = (steps: PlannedStep[]) =>
      steps.map((step) => ('path' in step ? { ...step, content: step.content.toString('base64') } : step));
    return { below: layers.map(({ key }) => key), plan: plain(beforeCleaning), kept: plain(afterCleaning) };
  }

  async make(
    { layers, recipe, resolution, lock, aptSources }: PipelineState,
    outDir: string,
    { workDir, signal, log }: StageContext,
  ): Promise<void> {
    if (!lock) throw new Error('configure needs a lock');
    const lowers = layers.map(({ dir }) => dir);
    const { beforeCleaning, afterCleaning } = planImage(recipe, resolution, aptSources);
    const carryOut = async (
      { upper, mounts, signal: stop, tooMuch }: LayerScratch,
      steps: PlannedStep[],
      name: string,
    ) => {
      const planDir = path.join(workDir, name);
      await writePlan(steps, planDir);
      try {
        const { stdout } = await runInTree('perl', treeRunnerArguments, {
          lowers,
          upper,
          shown: { [planPlace]: planDir },
          environment: { SOURCE_DATE_EPOCH: String(lock.epochSeconds) },
          deadlineMs: 5 * 60_000,
          signal: stop,
          ...(mounts && { mounts }),
        });
        for (const line of stdout.split('\n')) if (line.trim()) log(line);
      } catch (error) {
        if (signal.aborted) throw error;
        throwIfTooMuch(await tooMuch(), error);
        // That it was late, or was killed, is no fault of the recipe.
        if (!(error instanceof ProgramError) || ['deadline', 'signal', 'missing'].includes(error.why)) throw error;
        throw configurationFailure(error, steps);
      }
      throwIfTooMuch(await tooMuch());
    };
    await makeLayer(outDir, layerBounds, signal, async (scratch) => {
      await carryOut(scratch, beforeCleaning, 'plan');
      await cleanTree(scratch.upper, {
        lowers,
        epochSeconds: lock.epochSeconds,
        signal,
        ...(scratch.mounts && { mounts: scratch.mounts }),
      });
      await carryOut(scratch, afterCleaning, 'plan-kept');
    });
  }

  take(state: PipelineState, outDir: string, key: string): Promise<void> {
    state.layers = [...state.layers, { key, name: 'recipe', dir: path.join(outDir, 'layer') }];
    return Promise.resolve();
  }
}

function throwIfTooMuch(tooMuch: string | undefined, cause?: unknown): void {
  if (tooMuch)
    throw new BuildFailure('configure', 'caller', {
      reason: 'configuration_failed',
      message: `What the recipe's settings make is more than ${tooMuch}.`,
      hint: 'Look for what a package or a setting makes very large.',
      cause,
    });
}

/** What the runner said last, with the field of the recipe whose step failed. */
export function configurationFailure(error: ProgramError, steps: readonly PlannedStep[]): BuildFailure {
  const said = (error.result?.stdout ?? '').trim().split('\n').slice(-12);
  const [, number] = /^FAILED STEP (\d+)$/.exec(said.at(-1) ?? '') ?? [];
  const step = steps[Number(number) - 1];
  const lines = number === undefined ? said : said.slice(0, -1);
  const lost = /^LOST (.*)$/.exec(lines.at(-1) ?? '')?.[1];
  // The line before the runner's own is the program's.
  const words =
    lost !== undefined ? whyLost(lost) : (step && 'failure' in step && step.failure) || lines.slice(-2).join('; ');
  const where = step?.from === undefined ? '' : ` at /recipe${step.from}`;
  return new BuildFailure(
    'configure',
    'caller',
    {
      reason: 'configuration_failed',
      message: `The recipe's settings could not be applied${where}: ${words || 'a program failed'}${/[.!?]$/.test(words ?? '') ? '' : '.'}`,
      hint: where
        ? `Change what the recipe says${where}.`
        : 'Check the users, groups, files and services that the last lines name.',
      cause: error,
    },
    lines,
  );
}
