import { spawnSync } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findMirrors } from '../../dist/libs/recipes/src/packages/apt/apt-mirrors.js';
import { timed } from './timed.mjs';

export function liveBuildVersion() {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', 'live-build'], {
    encoding: 'utf8',
  });
  return status === 0 && stdout.startsWith('installed ') ? stdout.slice('installed '.length) : undefined;
}

/** Like ours where it can be: nothing but the listed packages, no recommendations, no installer, no firmware, one sum, GRUB for BIOS and UEFI. */
function configuration({ suite, level, mirrors }) {
  const on = (names, value) => names.flatMap((name) => [`--${name}`, value]);
  return [
    '--mode',
    'debian',
    '--distribution',
    suite,
    '--architecture',
    'amd64',
    '--archive-areas',
    'main',
    '--debootstrap-options',
    '--variant=minbase',
    '--linux-packages',
    'linux-image',
    '--initsystem',
    'systemd',
    '--binary-image',
    'iso-hybrid',
    '--bootloaders',
    'grub-pc,grub-efi',
    '--chroot-squashfs-compression-type',
    'zstd',
    '--chroot-squashfs-compression-level',
    String(level),
    '--checksums',
    'sha256',
    '--cache-stages',
    'bootstrap',
    '--bootappend-live',
    'boot=live components console=ttyS0',
    ...on(['security', 'updates', 'cache', 'cache-packages'], 'true'),
    ...on(
      [
        'apt-recommends',
        'backports',
        'firmware-binary',
        'firmware-chroot',
        'apt-indices',
        'win32-loader',
        'zsync',
        'source',
        'interactive',
        'color',
      ],
      'false',
    ),
    ...on(['memtest', 'debian-installer'], 'none'),
    ...on(['mirror-bootstrap', 'mirror-chroot', 'mirror-binary'], `${mirrors.main}/`),
    ...on(['mirror-chroot-security', 'mirror-binary-security'], `${mirrors.security}/`),
  ];
}

/** Debian's live-build in a directory of its own, whose caches stay from one build to the next. */
export class LiveBuild {
  constructor(dir, { suite, level, blockBytes, signal }) {
    this.dir = dir;
    this.options = { suite, level };
    this.env = { MKSQUASHFS_OPTIONS: `-b ${blockBytes}`, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
    this.signal = signal;
  }

  /** `lb clean` keeps the caches, and wants `lb config` again. Only live-boot of what it would add by itself: ours has no live-config. */
  async build(packages) {
    const lists = path.join(this.dir, 'config/package-lists');
    await mkdir(lists, { recursive: true });
    await writeFile(path.join(lists, 'live.list.chroot'), 'live-boot\n');
    await writeFile(path.join(lists, 'bench.list.chroot'), `${packages.join('\n')}\n`);
    const logFile = path.join(this.dir, 'build.log');
    const log = await open(logFile, 'w');
    try {
      const mirrors = await findMirrors('debian', undefined);
      const command = [
        'sh',
        '-c',
        'umask 022; lb clean && lb config "$@" && lb build',
        'sh',
        ...configuration({ ...this.options, mirrors }),
      ];
      const { code, ...times } = await timed(command, {
        cwd: this.dir,
        env: this.env,
        output: log.fd,
        signal: this.signal,
      });
      const image = (await readdir(this.dir)).find((name) => name.endsWith('.iso'));
      if (code !== 0 || !image)
        throw new Error(`live-build failed:\n${(await readFile(logFile, 'utf8')).split('\n').slice(-30).join('\n')}`);
      return { ...times, imageBytes: (await stat(path.join(this.dir, image))).size };
    } finally {
      await log.close();
    }
  }
}
