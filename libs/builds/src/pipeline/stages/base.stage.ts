import path from 'node:path';
import { asLines } from '#libs/platform';
import { installedBytes, lockHash } from '../package-lock.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { runInToolRoot } from '../tree/tool-root.js';
import { makeOwnedDir } from '../tree/owned-dir.js';
import { cleanTree } from '../tree/clean-tree.js';

const withinMs = 20 * 60_000;

/**
 * The base layer: essential and required packages, the base image's own, and the kernel, installed by mmdebstrap from a repository of
 * exactly those packages. All of them come from the distribution, so this is the one place where maintainer scripts run in a plain chroot, and with what
 * makes one: mounts (inside our namespaces, without network, with nothing of the host but its /usr to read, and with the filter of system calls).
 */
export class BaseStage extends BuildStage {
  readonly name = 'base';
  readonly version = 2;

  inputs({ lock }: PipelineState): unknown {
    return lock && { packages: lockHash(lock.base), epoch: lock.epochSeconds, suite: lock.suite };
  }

  override needsBytes({ lock }: PipelineState): Promise<number> {
    return Promise.resolve(installedBytes(lock?.base ?? []));
  }

  async make({ lock }: PipelineState, outDir: string, { workDir, signal, log, progress }: StageContext): Promise<void> {
    if (!lock) throw new Error('base needs a lock');
    await makeOwnedDir(outDir);
    const names = lock.base.map(({ name }) => name).join(',');
    let unpacked = 0;
    const onStdout = asLines((line) => {
      if (!/^(Unpacking|Setting up) /.test(line)) return;
      progress(++unpacked / (2 * lock.base.length));
      log(line);
    });
    const args = [
      '--mode=root',
      '--format=directory',
      '--variant=apt',
      `--architectures=${lock.architecture}`,
      `--include=${names}`,
      '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
      '--aptopt=APT::Install-Recommends "false"',
      '--dpkgopt=force-unsafe-io',
      '',
      '/out/tree',
      'deb [trusted=yes] copy:///repo ./',
    ];
    const environment = {
      SOURCE_DATE_EPOCH: String(lock.epochSeconds),
      DEBIAN_FRONTEND: 'noninteractive',
      INITRD: 'No',
      HOME: '/tmp',
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
    };
    await runInToolRoot('mmdebstrap', args, {
      shown: { '/repo': path.join(workDir, 'fetch/base') },
      written: { '/out': outDir },
      environment,
      deadlineMs: withinMs,
      signal,
      onStdout,
    });
    await cleanTree(path.join(outDir, 'tree'), { lowers: [], epochSeconds: lock.epochSeconds, signal });
  }

  take(state: PipelineState, outDir: string, key: string): Promise<void> {
    state.layers = [{ key, name: 'base', dir: path.join(outDir, 'tree') }];
    return Promise.resolve();
  }
}
