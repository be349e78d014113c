import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { canonicalJson } from '#libs/platform';
import { compressedBytes } from '../package-lock.js';
import { writeIso, type WrittenIso } from '../iso/iso-writer.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { makeOwnedDir } from '../tree/owned-dir.js';

/** Kernel, initramfs and the squashfs layers become a hybrid ISO. Its id follows from what is in it, so equal contents are equal images. */
export class ImageStage extends BuildStage {
  readonly name = 'image';
  readonly version = 2;

  inputs({ boot, squashfs, recipe, lock }: PipelineState): unknown {
    return {
      boot: boot?.key,
      squashfs: squashfs.map(({ name, sha256 }) => [name, sha256]),
      name: recipe.name,
      kernelArgs: recipe.system.kernel_args,
      epoch: lock?.epochSeconds,
    };
  }

  /** The image, and the copy that is kept as the build's artifact. */
  override needsBytes({ lock }: PipelineState): Promise<number> {
    return Promise.resolve(lock ? 2 * compressedBytes(lock) : 0);
  }

  async make(state: PipelineState, outDir: string, { signal, progress }: StageContext): Promise<void> {
    const { boot, squashfs, recipe, lock } = state;
    if (!boot || !lock) throw new Error('image needs a kernel and layers');
    await makeOwnedDir(outDir);
    const imageId = this.idOf(state);
    const workDir = path.join(outDir, 'work');
    await makeOwnedDir(workDir);
    const written = await writeIso({
      kernelPath: boot.kernelPath,
      initrdPath: boot.initrdPath,
      squashfsPaths: squashfs,
      kernelArgs: recipe.system.kernel_args,
      imageId,
      epochSeconds: lock.epochSeconds,
      menuTitle: recipe.name,
      outPath: path.join(outDir, 'image.iso'),
      workDir,
      signal,
      onProgress: progress,
    });
    await writeFile(path.join(outDir, 'written.json'), JSON.stringify(written));
  }

  async take(state: PipelineState, outDir: string): Promise<void> {
    const written = JSON.parse(await readFile(path.join(outDir, 'written.json'), 'utf8')) as WrittenIso;
    state.image = { id: this.idOf(state), path: path.join(outDir, 'image.iso'), ...written };
  }

  private idOf(state: PipelineState): string {
    return createHash('sha256')
      .update(canonicalJson(this.inputs(state)))
      .digest('hex');
  }
}
