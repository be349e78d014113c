import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '#libs/platform';
import type { PackageLock } from '../../libs/builds/src/pipeline/package-lock.js';
import { PackagesStage, type InstallLimits } from '../../libs/builds/src/pipeline/stages/packages.stage.js';
import type { Layer, PipelineState } from '../../libs/builds/src/pipeline/stage.js';
import { removeTree } from '../../libs/builds/src/pipeline/tree/owned-dir.js';

export interface HostileRun {
  layerDir: string;
  lines: string[];
  error: unknown;
  remove(): Promise<void>;
}

/** Installs a package with the given postinst on a base layer, the way a build does, and says what came of it. */
export async function installHostile(
  dataDir: string,
  postinst: string,
  limits: Partial<InstallLimits> = {},
  signal = new AbortController().signal,
): Promise<HostileRun> {
  const baseCache = path.join(dataDir, 'builds/cache/base');
  const [key] = await readdir(baseCache);
  const base: Layer = { key: key!, name: 'base', dir: path.join(baseCache, key!, 'tree') };
  const workDir = path.join(
    dataDir,
    'builds',
    `hostile-${createHash('sha256').update(postinst).digest('hex').slice(0, 8)}`,
  );
  const outDir = path.join(workDir, 'out');
  const repository = path.join(workDir, 'fetch/all');
  await mkdir(outDir, { recursive: true, mode: 0o755 });
  await mkdir(repository, { recursive: true, mode: 0o755 });
  await buildPackage(workDir, repository, postinst);
  const lock: PackageLock = {
    baseImage: 'debian-bookworm',
    suite: 'bookworm',
    architecture: 'amd64',
    epochSeconds: 1_700_000_000,
    base: [],
    added: [],
    requested: ['of-hostile'],
  };
  const lines: string[] = [];
  const stage = new PackagesStage({
    withinMs: 60_000,
    logBytes: 4 * 2 ** 20,
    layerBytes: 256 * 2 ** 20,
    layerInodes: 20_000,
    processes: 300,
    ...limits,
  });
  let error: unknown;
  try {
    await stage.make({ lock, layers: [base] } as unknown as PipelineState, outDir, {
      workDir,
      signal,
      progress: () => undefined,
      log: (line) => lines.push(line),
    });
  } catch (thrown) {
    error = thrown;
  }
  return { layerDir: path.join(outDir, 'layer'), lines, error, remove: () => removeTree(workDir) };
}

async function buildPackage(workDir: string, repository: string, postinst: string): Promise<void> {
  const root = path.join(workDir, 'package');
  await mkdir(path.join(root, 'DEBIAN'), { recursive: true, mode: 0o755 });
  const control =
    'Package: of-hostile\nVersion: 1\nArchitecture: all\nMaintainer: Mallory <mallory@example.org>\nDescription: means harm\n';
  await writeFile(path.join(root, 'DEBIAN/control'), control);
  await writeFile(path.join(root, 'DEBIAN/postinst'), `#!/bin/bash\n${postinst}\n`, { mode: 0o755 });
  const file = path.join(repository, 'hostile.deb');
  await runProgram('dpkg-deb', ['--root-owner-group', '--build', root, file], { deadlineMs: 20_000 });
  const bytes = await readFile(file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await writeFile(
    path.join(repository, 'Packages'),
    `${control}Filename: ./hostile.deb\nSize: ${bytes.length}\nSHA256: ${sha256}\n`,
  );
  await rm(root, { recursive: true });
}
