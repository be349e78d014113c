import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StageCache } from '../stage-cache.js';
import { compressedBytes } from '../package-lock.js';
import { fileSha256 } from '../file-hash.js';
import { BuildStage, type Layer, type PipelineState, type StageContext } from '../stage.js';
import { settleOpaqueDirs } from '../tree/opaque-dirs.js';
import { makeOwnedDir } from '../tree/owned-dir.js';
import { runOnTree } from '../tree/tree-sandbox.js';

/** zstd levels of `output.compression`; measured in research: 9 costs 5 % more bytes than 15 and a seventh of the CPU. */
export const levels = { fast: 1, balanced: 9, small: 19 } as const;
export const squashfsBlockBytes = 262_144;

/**
 * One squashfs per layer, each cached by its layer, so that a changed recipe compresses only what it changed. live-boot stacks them by
 * filesystem.module, bottom first; but for a persistent root it stacks what it finds by name, the first on top (activate_custom_mounts of
 * its 9990-misc-helpers.sh): the names count downwards so that both come to the same.
 */
export class SquashfsStage extends BuildStage {
  readonly name = 'squashfs';
  readonly version = 5;

  constructor(private readonly cache: StageCache) {
    super();
  }

  /** The layers are looked up one by one. */
  inputs(): undefined {
    return undefined;
  }

  override needsBytes({ lock }: PipelineState): Promise<number> {
    return Promise.resolve(lock ? compressedBytes(lock) : 0);
  }

  async make(state: PipelineState, _outDir: string, context: StageContext): Promise<void> {
    const { layers, recipe, lock } = state;
    if (!lock) throw new Error('squashfs needs a lock');
    const level = levels[recipe.output.compression];
    state.squashfs = [];
    for (const [index, layer] of layers.entries()) {
      const inputs = { layer: layer.key, level, epoch: lock.epochSeconds };
      const { dir, hit } = await this.cache.obtain(
        `squashfs`,
        this.version,
        inputs,
        (outDir) =>
          this.compress(layer, layers.slice(0, index), { outDir, level, epochSeconds: lock.epochSeconds }, context),
        context.signal,
      );
      const file = path.join(dir, 'layer.squashfs');
      state.squashfs.push({
        name: `${layers.length - 1 - index}-${layer.name}.squashfs`,
        path: file,
        sha256: await readFile(`${file}.sha256`, 'utf8'),
      });
      context.log(`${layer.name} layer: ${hit ? 'from the cache' : 'compressed'}`);
      context.progress((index + 1) / layers.length);
    }
  }

  take(): Promise<void> {
    return Promise.resolve();
  }

  private async compress(
    layer: Layer,
    below: Layer[],
    { outDir, level, epochSeconds }: { outDir: string; level: number; epochSeconds: number },
    { signal }: StageContext,
  ): Promise<void> {
    await makeOwnedDir(outDir);
    if (below.length)
      await settleOpaqueDirs(
        layer.dir,
        below.map(({ dir }) => dir),
        signal,
      );
    // Whatever is younger than the image's date was made by this build, at a time that says nothing.
    const date = `@${epochSeconds}`;
    await runOnTree(
      'find',
      [layer.dir, '-newermt', date, '-exec', 'touch', '--no-dereference', `--date=${date}`, '--', '{}', '+'],
      { deadlineMs: 5 * 60_000, signal },
    );
    const file = path.join(outDir, 'layer.squashfs');
    const args = [
      layer.dir,
      file,
      '-comp',
      'zstd',
      '-Xcompression-level',
      String(level),
      '-b',
      String(squashfsBlockBytes),
      '-noappend',
      '-no-progress',
      '-quiet',
      '-no-exports',
      '-e',
      'boot',
    ];
    await runOnTree('mksquashfs', args, {
      deadlineMs: 60 * 60_000,
      signal,
      env: { SOURCE_DATE_EPOCH: String(epochSeconds) },
    });
    // Kept beside it: hashing it anew for every build would take longer than all else that a cached layer needs.
    await writeFile(`${file}.sha256`, await fileSha256(file));
  }
}
