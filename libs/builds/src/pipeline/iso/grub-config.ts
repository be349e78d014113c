import { AppError } from '#libs/platform';
import type { IsoIdentity } from './iso-identity.js';

/** Checked again here, however well they were checked before. Between single quotes GRUB's script language takes everything else as it is, and its loader puts a backslash before these three. */
const safeArgument = /^[\x21-\x7e]+$/;
const changedCharacters = /['"\\]/;

export function checkKernelArgs(kernelArgs: readonly string[]): void {
  for (const argument of kernelArgs) {
    if (safeArgument.test(argument) && !changedCharacters.test(argument)) continue;
    throw new AppError({
      kind: 'invalid',
      reason: 'unsafe_kernel_argument',
      message: 'A kernel argument is one word of printable ASCII without quotes and backslashes.',
      hint: 'Correct the kernel arguments of the recipe.',
    });
  }
}

/** A title is for people: what GRUB's terminals could not show, or its language would take for its own, becomes `_`. */
const menuText = (title: string) =>
  title
    .replaceAll(/[^A-Za-z0-9 .,_:()+-]/g, '_')
    .trim()
    .slice(0, 60) || 'OpenFactory image';

/** What is built into GRUB itself: find the medium by a file that no other image has, and read the menu from there. */
export function embeddedConfig({ markerName }: IsoIdentity): string {
  return [
    `search --no-floppy --file --set=root /.disk/${markerName}`,
    'set prefix=($root)/boot/grub',
    'configfile ($root)/boot/grub/grub.cfg',
    '',
  ].join('\n');
}

/** Each argument in single quotes, between which GRUB takes everything literally. */
export function menuConfig(
  { persistenceLabel }: IsoIdentity,
  menuTitle: string,
  kernelArgs: readonly string[],
): string {
  checkKernelArgs(kernelArgs);
  // The last console is /dev/console, where the system's own messages go: the serial one, which a factory can read.
  // Persistence is looked for among labels; without the third word live-boot mounts every file system there is, to look for files of that name.
  const own = [
    'boot=live',
    'persistence',
    `persistence-label=${persistenceLabel}`,
    'persistence-storage=filesystem',
    'console=tty0',
    'console=ttyS0,115200',
  ];
  const quoted = (words: readonly string[]) => words.map((argument) => ` '${argument}'`).join('');
  return [
    'serial --unit=0 --speed=115200 --word=8 --parity=no --stop=1',
    'terminal_input console serial',
    'terminal_output console serial',
    'set default=0',
    'set timeout=1',
    'set gfxpayload=keep',
    // live-boot finds all devices a second time and waits up to five seconds, for slow USB disks: QEMU has none (live-boot(7), quickusbmodules).
    'smbios --type 1 --get-string 4 --set manufacturer',
    'if [ "$manufacturer" = QEMU ]; then set in_qemu=quickusbmodules; fi',
    `menuentry '${menuText(menuTitle)}' {`,
    `  linux /live/vmlinuz${quoted(own)} $in_qemu${quoted(kernelArgs)}`,
    '  initrd /live/initrd.img',
    '}',
    '',
  ].join('\n');
}
