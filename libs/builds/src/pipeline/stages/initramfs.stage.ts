import { chmod, copyFile, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { productRoot } from '#libs/platform';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { makeOwnedDir, removeTree } from '../tree/owned-dir.js';
import { runInTree } from '../tree/tree-sandbox.js';

/**
 * Modules that nothing needs before the root is there: this system starts from a disk. They are half of what the firmware would read and the kernel
 * unpack. mkinitramfs finds these directories empty.
 */
const unneeded = [
  'drivers/net',
  'drivers/gpu',
  'drivers/infiniband',
  'drivers/media',
  'fs/nfs',
  'fs/lockd',
  'net/sunrpc',
];
/** When scripts of ours run in it (initramfs-tools(7)): under emulation they spare a tenth of a boot's time. */
const ours = ['init-top', 'init-bottom'];

/** Once per base: the kernel, and the initramfs that live-boot's hooks make for it. Nothing of the recipe is in it. */
export class InitramfsStage extends BuildStage {
  readonly name = 'initramfs';
  readonly version = 3;

  inputs({ layers }: PipelineState): unknown {
    return { base: layers[0]?.key };
  }

  async make({ layers, lock }: PipelineState, outDir: string, { signal, log }: StageContext): Promise<void> {
    const [base] = layers;
    if (!base || !lock) throw new Error('initramfs needs a base');
    const upper = path.join(outDir, 'scratch');
    for (const dir of [outDir, upper, `${upper}.work`, `${upper}.merged`]) await makeOwnedDir(dir);
    const [kernel] = (await readdir(path.join(base.dir, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
    if (!kernel) throw new Error('the base holds no kernel');
    const version = kernel.slice('vmlinuz-'.length);
    const empty = path.join(outDir, 'empty');
    await makeOwnedDir(empty);
    const shown = Object.fromEntries(unneeded.map((place) => [`/usr/lib/modules/${version}/kernel/${place}`, empty]));
    const scripts = path.join(outDir, 'scripts');
    await makeOwnedDir(scripts);
    for (const when of ours) shown[`/etc/initramfs-tools/scripts/${when}`] = await layScript(scripts, when);
    log(`Making the initramfs of Linux ${version}`);
    await runInTree('mkinitramfs', ['-o', '/boot/initrd.img', version], {
      lowers: [base.dir],
      upper,
      shown,
      environment: { SOURCE_DATE_EPOCH: String(lock.epochSeconds) },
      deadlineMs: 10 * 60_000,
      signal,
    });
    await rename(path.join(upper, 'boot/initrd.img'), path.join(outDir, 'initrd.img'));
    await copyFile(path.join(base.dir, 'boot', kernel), path.join(outDir, 'vmlinuz'));
    for (const dir of [empty, scripts, upper, `${upper}.work`, `${upper}.merged`]) await removeTree(dir);
  }

  take(state: PipelineState, outDir: string, key: string): Promise<void> {
    state.boot = { key, kernelPath: path.join(outDir, 'vmlinuz'), initrdPath: path.join(outDir, 'initrd.img') };
    return Promise.resolve();
  }
}

/** A copy: the build account need not be able to read where this program is installed. */
async function layScript(dir: string, when: string): Promise<string> {
  const place = path.join(dir, when);
  const script = path.join(place, 'openfactory');
  await makeOwnedDir(place);
  await copyFile(path.join(productRoot, 'libs/builds/initramfs', when, 'openfactory'), script);
  await chmod(script, 0o755);
  return place;
}
