import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ProgramError } from '#libs/platform';
import { BuildFailure } from '../build-pipeline.port.js';
import { planImage } from '../configure/plan-image.js';
import type { ImagePlan } from '../configure/image-plan.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { cleanTree } from '../tree/clean-tree.js';
import { makeOwnedDir } from '../tree/owned-dir.js';
import { runInTree } from '../tree/tree-sandbox.js';

/**
 * Runs in the tree, by the tree's own perl: reads records of NUL-ended words (number of words, words, file for standard input or nothing)
 * and runs each as a program, without a shell. The program is constant.
 */
const runner = String.raw`
use strict; use warnings; umask 022;
open(my $in, '<', '/mnt/plan/commands') or die $!;
local $/ = "\0";
my @words = map { chomp; $_ } <$in>;
while (@words) {
  my @argv = splice(@words, 0, shift @words);
  my $input = shift @words;
  my $pid = fork(); die unless defined $pid;
  if ($pid == 0) { open(STDIN, '<', $input || '/dev/null') or die $!; open(STDERR, '>&', \*STDOUT); { exec { $argv[0] } @argv; } print "cannot run $argv[0]: $!\n"; exit 127; }
  waitpid($pid, 0);
  if ($? != 0) { print "FAILED: " . join(' ', @argv) . " (" . ($? >> 8) . ")\n"; exit 1; }
}
`;

/** The recipe's layer: files, users, settings, units. Written from inside the tree, so that no link in it leads a write out of it. */
export class ConfigureStage extends BuildStage {
  readonly name = 'configure';
  readonly version = 3;

  inputs({ layers, recipe, resolution, aptSources }: PipelineState): unknown {
    return { below: layers.map(({ key }) => key), plan: planImage(recipe, resolution, aptSources).steps.map((step) => ('path' in step ? { ...step, content: step.content.toString('base64') } : step)) };
  }

  async make({ layers, recipe, resolution, lock, aptSources }: PipelineState, outDir: string, { workDir, signal, log }: StageContext): Promise<void> {
    if (!lock) throw new Error('configure needs a lock');
    const upper = path.join(outDir, 'layer');
    for (const dir of [outDir, upper, `${upper}.work`, `${upper}.merged`]) await makeOwnedDir(dir);
    const planDir = path.join(workDir, 'plan');
    await writePlan(planImage(recipe, resolution, aptSources), planDir);
    const lowers = layers.map(({ dir }) => dir);
    try {
      const { stdout } = await runInTree('perl', ['-e', runner], { lowers, upper, shown: { '/mnt/plan': planDir }, environment: { SOURCE_DATE_EPOCH: String(lock.epochSeconds) }, deadlineMs: 5 * 60_000, signal });
      for (const line of stdout.split('\n')) if (line.trim()) log(line);
    } catch (error) {
      // That it was late, or was killed, is no fault of the recipe.
      if (signal.aborted || (error instanceof ProgramError && ['deadline', 'signal', 'missing'].includes(error.why))) throw error;
      const said = error instanceof ProgramError ? (error.result?.stdout ?? '').trim().split('\n').slice(-10) : [];
      throw new BuildFailure('configure', 'caller', { reason: 'configuration_failed', message: `The recipe's settings could not be applied: ${said.at(-1) ?? 'a program failed'}.`, hint: 'Check the users, groups, files and services that the last lines name.', cause: error }, said);
    }
    await cleanTree(upper, { lowers, epochSeconds: lock.epochSeconds, signal });
  }

  take(state: PipelineState, outDir: string, key: string): Promise<void> {
    state.layers = [...state.layers, { key, name: 'recipe', dir: path.join(outDir, 'layer') }];
    return Promise.resolve();
  }
}

/** Files become `install` commands, so that all steps keep their order. */
export async function writePlan(plan: ImagePlan, dir: string): Promise<void> {
  await mkdir(path.join(dir, 'files'), { recursive: true, mode: 0o755 });
  const words: string[] = [];
  let files = 0;
  const keep = async (content: string | Buffer) => {
    const name = `files/${files++}`;
    await writeFile(path.join(dir, name), content, { mode: 0o644 });
    return `/mnt/plan/${name}`;
  };
  const record = (argv: string[], input = '') => words.push(String(argv.length), ...argv, input);
  for (const step of plan.steps) {
    if ('argv' in step) record(step.argv, step.input === undefined ? '' : await keep(step.input));
    else record(['install', '-D', '-T', '-m', step.mode ?? '0644', '-o', step.owner ?? 'root', '-g', step.group ?? 'root', '--', await keep(step.content), step.path]);
  }
  if (words.some((word) => word.includes('\0'))) throw new Error('a word of the plan holds a NUL');
  await writeFile(path.join(dir, 'commands'), words.map((word) => `${word}\0`).join(''), { mode: 0o644 });
}
