import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { embeddedConfig } from './grub-config.js';
import type { IsoIdentity } from './iso-identity.js';

/** Runs a program in the place, and as the account, that the image is written in. */
export type RunTool = (program: string, args: readonly string[]) => Promise<unknown>;

export interface BootImages {
  /** GRUB for BIOS, as El Torito wants it. */
  biosImage: string;
  /** The EFI system partition, with GRUB as the default loader. */
  efiPartition: string;
}

/** Everything GRUB needs is in one image: it loads no module from the medium. */
const modules = [
  'iso9660',
  'part_gpt',
  'part_msdos',
  'search',
  'search_fs_file',
  'normal',
  'configfile',
  'test',
  'echo',
  'linux',
  'serial',
  'terminal',
  'all_video',
  'smbios',
  'halt',
  'reboot',
  'sleep',
  'ls',
  'cat',
];
const efiPartitionKiB = 4096;

/** Not grub-mkrescue, whose images differ at every run. Outputs: `eltorito.img` and `efi.img` in `dir`. */
export async function makeBootImages(
  dir: string,
  identity: IsoIdentity,
  epochSeconds: number,
  run: RunTool,
): Promise<BootImages> {
  const inDir = (name: string) => path.join(dir, name);
  const [embedded, biosImage, loader, efiPartition] = [
    inDir('embedded.cfg'),
    inDir('eltorito.img'),
    inDir('efi/EFI/BOOT/BOOTX64.EFI'),
    inDir('efi.img'),
  ];
  await writeFile(embedded, embeddedConfig(identity));
  await chmod(embedded, 0o644);
  await run('mkdir', ['-p', path.dirname(loader)]);
  const grub = (format: string, output: string, more: string[]) =>
    run('grub-mkimage', ['-O', format, '-o', output, '-c', embedded, '-p', '/boot/grub', ...modules, ...more]);
  await grub('i386-pc-eltorito', biosImage, ['biosdisk']);
  await grub('x86_64-efi', loader, ['fat', 'efi_gop', 'efi_uga']);

  // FAT keeps the times of what is copied into it.
  const epoch = new Date(epochSeconds * 1000);
  for (const file of ['efi/EFI/BOOT/BOOTX64.EFI', 'efi/EFI/BOOT', 'efi/EFI']) await utimes(inDir(file), epoch, epoch);
  await run('mkfs.vfat', [
    '--invariant',
    '-i',
    identity.fatSerial,
    '-n',
    'ESP',
    '-C',
    efiPartition,
    String(efiPartitionKiB),
  ]);
  await run('mcopy', ['-i', efiPartition, '-s', '-m', inDir('efi/EFI'), '::']);
  return { biosImage, efiPartition };
}

export interface MediumFile {
  place: string;
  /** Where its contents come from; a symbolic link to there: nothing is copied before xorriso does. */
  link?: string;
  text?: string;
}

/** Lays out the tree of the medium, readable by the account that writes it, whatever the factory's umask. */
export async function layOut(tree: string, files: readonly MediumFile[]): Promise<void> {
  const dirs = new Set([tree]);
  for (const { place } of files)
    for (let dir = path.dirname(place); dir !== '.'; dir = path.dirname(dir)) dirs.add(path.join(tree, dir));
  for (const dir of [...dirs].sort()) {
    await mkdir(dir, { recursive: true });
    await chmod(dir, 0o755);
  }
  for (const { place, link, text = '' } of files) {
    const file = path.join(tree, place);
    if (link !== undefined) {
      await symlink(link, file);
      continue;
    }
    await writeFile(file, text);
    await chmod(file, 0o644);
  }
}
