import path from 'node:path';
import { asLines, isLate, ProgramError } from '#libs/platform';
import { BuildFailure } from '../build-pipeline.port.js';
import { installedBytes, lockHash, installable } from '../package-lock.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { cleanTree } from '../tree/clean-tree.js';
import { makeLayer, type LayerScratch } from '../tree/layer-scratch.js';
import { removeMadeKeys } from '../tree/made-keys.js';
import { makeOwnedDir } from '../tree/owned-dir.js';
import { runInTree } from '../tree/tree-sandbox.js';

export interface InstallLimits {
  withinMs: number;
  logBytes: number;
  layerBytes: number;
  layerInodes: number;
  processes: number;
}

const usualLimits: InstallLimits = {
  withinMs: 30 * 60_000,
  logBytes: 32 * 2 ** 20,
  layerBytes: 24 * 2 ** 30,
  layerInodes: 2_000_000,
  processes: 512,
};

/** Forbids services to start while packages are installed (Debian's policy-rc.d), then lets apt install from the shown repository only. */
const install = [
  'set -e; umask 022',
  'printf "#!/bin/sh\\nexit 101\\n" > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d',
  'printf "deb [trusted=yes] file:/run/of-repo ./\\n" > /run/of-sources.list',
  'printf "%s\\n" \'Dir::Etc::sourcelist "/run/of-sources.list"; Dir::Etc::sourceparts "/nonexistent"; Dir::State::lists "/run/of-lists"; Dir::Cache::archives "/run/of-archives"; APT::Sandbox::User "root"; Dpkg::Use-Pty "0"; DPkg::Options { "--force-confdef"; "--force-confold"; "--force-unsafe-io"; };\' > /run/of-apt.conf',
  'export APT_CONFIG=/run/of-apt.conf; mkdir -p /run/of-lists/partial /run/of-archives/partial',
  'apt-get -q update',
  'apt-get -q --yes --no-install-recommends --allow-remove-essential install -- "$@"',
  'rm -f /usr/sbin/policy-rc.d',
].join('\n');

/**
 * The package layer: what the recipe adds and removes, installed by the tree's own apt, offline. Maintainer scripts are hostile: they see
 * the tree and nothing else, have no network, and are bounded in time, processes, disk and log.
 */
export class PackagesStage extends BuildStage {
  readonly name = 'packages';
  readonly version = 3;

  constructor(private readonly limits: InstallLimits = usualLimits) {
    super();
  }

  inputs({ lock, layers }: PipelineState): unknown {
    return lock && { below: layers[0]?.key, packages: lockHash(lock.added), requested: installable(lock) };
  }

  override needsBytes({ lock }: PipelineState): Promise<number> {
    return Promise.resolve(installedBytes(lock?.added ?? []));
  }

  async make(
    { lock, layers }: PipelineState,
    outDir: string,
    { workDir, signal, log, progress }: StageContext,
  ): Promise<void> {
    if (!lock) throw new Error('packages needs a lock');
    const requested = installable(lock);
    if (requested.length === 0) return await makeOwnedDir(path.join(outDir, 'layer'));
    const lowers = layers.map(({ dir }) => dir);
    const { withinMs, logBytes, processes, layerBytes: bytes, layerInodes: inodes } = this.limits;
    let steps = 0;
    let written = 0;
    const last: string[] = [];
    const onStdout = asLines((line) => {
      written += line.length + 1;
      if (written > logBytes) throw new Error(`it printed more than ${Math.round(logBytes / 2 ** 20)} MiB`);
      last.push(line);
      if (last.length > 40) last.shift();
      if (/^(Unpacking|Setting up) /.test(line)) progress(Math.min(++steps / (2 * Math.max(lock.added.length, 1)), 1));
      log(line);
    });
    const failure = async (scratch: LayerScratch, what: string, cause?: unknown) => {
      const tooMuch = await scratch.tooMuch();
      const message = tooMuch ? `The installation wrote more than ${tooMuch}.` : what;
      const late = !tooMuch && isLate(cause);
      return new BuildFailure(
        'packages',
        late ? 'system' : 'caller',
        {
          reason: 'package_installation_failed',
          message,
          hint: 'Look at the last lines of the log; remove or replace the package that failed.',
          cause,
          retryable: late,
        },
        last.filter((line) => line.trim()).slice(-15),
      );
    };
    await makeLayer(outDir, { bytes, inodes }, signal, async (scratch) => {
      const { upper, mounts } = scratch;
      try {
        await runInTree('/bin/sh', ['-c', `exec 2>&1; ${install}`, 'sh', ...requested], {
          lowers,
          upper,
          shown: { '/run/of-repo': path.join(workDir, 'fetch/all') },
          environment: { INITRD: 'No', SOURCE_DATE_EPOCH: String(lock.epochSeconds), PYTHONDONTWRITEBYTECODE: '1' },
          deadlineMs: withinMs,
          processes,
          signal: scratch.signal,
          onStdout,
          ...(mounts && { mounts }),
        });
      } catch (error) {
        if (signal.aborted) throw error;
        throw await failure(scratch, whatFailed(error, withinMs), error);
      }
      if (await scratch.tooMuch()) throw await failure(scratch, '');
      await cleanTree(upper, { lowers, epochSeconds: lock.epochSeconds, signal, ...(mounts && { mounts }) });
      for (const key of await removeMadeKeys(upper, { lowers, signal, ...(mounts && { mounts }) }))
        log(`Removed ${key}: a key that was made with the image would be the same in all its machines`);
    });
  }

  take(state: PipelineState, outDir: string, key: string): Promise<void> {
    state.layers = [...state.layers, { key, name: 'packages', dir: path.join(outDir, 'layer') }];
    return Promise.resolve();
  }
}

function whatFailed(error: unknown, withinMs: number): string {
  if (!(error instanceof ProgramError)) return 'Installing the packages failed.';
  if (error.why === 'deadline')
    return `Installing the packages took longer than ${Math.round(withinMs / 60_000)} minutes of a host at rest: a script does not end, or the host was too slow.`;
  if (error.why === 'aborted')
    return `Installing the packages was stopped: ${error.message.replace(/^.*was stopped: /, '')}.`;
  return 'Installing the packages failed: a maintainer script ended with an error.';
}
