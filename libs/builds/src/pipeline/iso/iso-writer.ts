import { createHash, type Hash } from 'node:crypto';
import { chown, mkdtemp, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AppError, buildAccount, runProgram, type RunOptions } from '#libs/platform';
import { layOut, makeBootImages, type BootImages, type MediumFile } from './boot-images.js';
import { menuConfig } from './grub-config.js';
import { isoIdentity, type IsoIdentity } from './iso-identity.js';

export interface IsoInput {
  kernelPath: string;
  initrdPath: string;
  /** In the order live-boot mounts them: later ones lie on top. `name` is the file's name in /live. */
  squashfsPaths: readonly { name: string; path: string }[];
  /** After what every image has; see checkKernelArgs for what one may hold. */
  kernelArgs: readonly string[];
  /** Lower-case hex: a hash of what is in the image. */
  imageId: string;
  /** Every time stamp in the image. */
  epochSeconds: number;
  menuTitle: string;
  outPath: string;
  /** The build account must be able to enter it, and to read the inputs. */
  workDir: string;
  signal: AbortSignal;
  /** 0 to 1. */
  onProgress?: (fraction: number) => void;
}

export interface WrittenIso {
  sha256: string;
  sizeBytes: number;
}

const bootHybridMbr = '/usr/lib/grub/i386-pc/boot_hybrid.img';

/**
 * Writes a hybrid BIOS + UEFI image that starts from a CD, a disk or a USB stick. Identical inputs give identical bytes: only the contents of
 * the files count, not their times, owners, inode numbers or directory, and not the time zone or the clock.
 * @throws AppError where the machine's architecture is not supported yet, or an input is unsafe
 * @throws ProgramError
 */
export async function writeIso(input: IsoInput): Promise<WrittenIso> {
  const { epochSeconds, workDir, signal, outPath } = input;
  if (process.arch !== 'x64')
    throw new AppError({
      kind: 'unavailable',
      retryable: false,
      reason: 'architecture_unsupported',
      message: `Images are written on amd64 only today; this machine is ${process.arch}.`,
      hint: 'Run the worker on an amd64 machine.',
    });
  const identity = isoIdentity(input.imageId, epochSeconds);
  const files = mediumFiles(input, identity);
  const account = await buildAccount();
  const dir = await mkdtemp(path.join(workDir, 'iso-'));
  try {
    if (account) await chown(dir, account.uid, account.gid);
    const env = { TZ: 'UTC', SOURCE_DATE_EPOCH: String(epochSeconds), MTOOLSRC: '/dev/null' };
    const options: RunOptions = { cwd: dir, env, signal, deadlineMs: 120_000, ...(account && { account }) };
    const images = await makeBootImages(dir, identity, epochSeconds, (program, args) =>
      runProgram(program, args, options),
    );
    const tree = path.join(dir, 'tree');
    await layOut(tree, [...files, { place: 'boot/grub/eltorito.img', link: images.biosImage }]);
    const totalBytes = await sizeOf(files);
    const args = xorrisoArguments(identity, images, files, tree);
    return await receive(outPath, totalBytes, input.onProgress, (onStdout) =>
      runProgram('xorriso', args, { ...options, deadlineMs: 1_800_000, onStdout }),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** In the order in which their contents lie in the image: what is read first comes first. */
function mediumFiles(
  { kernelPath, initrdPath, squashfsPaths, menuTitle, kernelArgs }: IsoInput,
  identity: IsoIdentity,
): MediumFile[] {
  for (const { name } of squashfsPaths)
    if (!/^[a-z0-9][a-z0-9._-]{0,60}\.squashfs$/.test(name))
      throw new AppError({
        kind: 'internal',
        reason: 'squashfs_name_invalid',
        message: 'The name of a layer in the image is lower-case and ends in .squashfs.',
      });
  return [
    { place: `.disk/${identity.markerName}` },
    { place: 'boot/grub/grub.cfg', text: menuConfig(identity, menuTitle, kernelArgs) },
    { place: 'live/vmlinuz', link: kernelPath },
    { place: 'live/initrd.img', link: initrdPath },
    { place: 'live/filesystem.module', text: squashfsPaths.map(({ name }) => `${name}\n`).join('') },
    ...squashfsPaths.map(({ name, path: link }) => ({ place: `live/${name}`, link })),
  ];
}

async function sizeOf(files: readonly MediumFile[]): Promise<number> {
  let bytes = 0;
  for (const { link } of files) if (link !== undefined) bytes += (await stat(link)).size;
  return bytes;
}

function xorrisoArguments(
  { volumeId, modificationDate, diskGuid }: IsoIdentity,
  { efiPartition }: BootImages,
  files: MediumFile[],
  tree: string,
): string[] {
  // Without weights libisofs orders contents by inode number, which differs from run to run.
  const weights = ['boot/grub/eltorito.img', ...files.map(({ place }) => place)].flatMap((place, index) => [
    '--sort-weight',
    String(1000 - index),
    `/${place}`,
  ]);
  // An epoch in the environment reaches the volume, not the dates of the files.
  const dates = ['--set_all_file_dates', modificationDate];
  const names = ['-V', volumeId, ...dates, `--modification-date=${modificationDate}`, '--gpt_disk_guid', diskGuid];
  const bios = [
    '--grub2-mbr',
    bootHybridMbr,
    '-b',
    'boot/grub/eltorito.img',
    '-no-emul-boot',
    '-boot-load-size',
    '4',
    '-boot-info-table',
    '--grub2-boot-info',
    '-c',
    'boot/grub/boot.cat',
  ];
  const uefi = [
    '-append_partition',
    '2',
    '0xef',
    efiPartition,
    '-appended_part_as_gpt',
    '-eltorito-alt-boot',
    '-e',
    '--interval:appended_partition_2:all::',
    '-no-emul-boot',
  ];
  // -r: root owns everything; -f: the links of the tree are followed.
  return [
    '-as',
    'mkisofs',
    '-quiet',
    '-r',
    '-J',
    '-joliet-long',
    '-iso-level',
    '3',
    '-f',
    ...names,
    ...weights,
    '-partition_offset',
    '16',
    ...bios,
    ...uefi,
    '-o',
    '-',
    tree,
  ];
}

/** The image comes by a pipe: hashed on the way, owned by the factory, and under its own name only when it is whole. */
async function receive(
  outPath: string,
  totalBytes: number,
  onProgress: IsoInput['onProgress'],
  produce: (onStdout: (chunk: Buffer) => Promise<void>) => Promise<unknown>,
): Promise<WrittenIso> {
  const partial = `${outPath}.partial`;
  const file: FileHandle = await open(partial, 'w', 0o644);
  const hash: Hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    await file.chmod(0o644); // Whatever our umask: the account of guests boots it.
    await produce(async (chunk) => {
      hash.update(chunk);
      sizeBytes += chunk.length;
      await file.writeFile(chunk);
      onProgress?.(Math.min(1, sizeBytes / Math.max(totalBytes, 1)));
    });
    await file.datasync();
    await file.close();
    await rename(partial, outPath);
    return { sha256: hash.digest('hex'), sizeBytes };
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}
