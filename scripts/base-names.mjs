// `node scripts/base-names.mjs MIRROR [BASE…]`: writes libs/recipes/data/bases/<base>.json, the names that recipes may use on a base, from the
// real packages of the base. To be run again when a base gets a new point release; needs root, mmdebstrap, and some minutes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from './setup.mjs';

const here = path.join(import.meta.dirname, 'base-names');
const data = path.join(root, 'libs/recipes/data');
const [mirror, ...only] = process.argv.slice(2);
if (!mirror) throw new Error('Name the mirror of the distribution, for example the one of /etc/apt/sources.list.');

const { base_images } = parse(readFileSync(path.join(data, 'base-images.yaml'), 'utf8'));
for (const { id, archive, available } of base_images) {
  if (!available || (only.length && !only.includes(id))) continue;
  const work = mkdtempSync('/var/tmp/base-names-');
  try {
    const tree = [
      'mmdebstrap',
      '--mode=root',
      '--format=null',
      '--variant=required',
      `--include=apt,${archive.packages.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
    ];
    const hooks = ['base', 'accounts'].map(
      (what) => `--customize-hook=node ${path.join(here, `read-${what}.mjs`)} "$1" ${work} ${id}`,
    );
    // In namespaces of its own: what it mounts (the host's /dev/shm too) and starts ends with it.
    const apart = [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--ipc',
      '--uts',
      'sh',
      '-c',
      'mount -t tmpfs tmpfs /dev/shm && exec "$@"',
      'sh',
    ];
    execFileSync(
      'unshare',
      [
        ...apart,
        ...tree,
        ...hooks,
        archive.suite,
        '/dev/null',
        `deb ${mirror} ${archive.suite} ${archive.components.join(' ')}`,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, INITRD: 'No' } },
    );
    const names = Object.assign(
      {},
      ...['base', 'accounts'].map((what) => JSON.parse(readFileSync(path.join(work, `${what}.json`), 'utf8'))),
    );
    writeFileSync(
      path.join(data, 'bases', `${id}.json`),
      `{\n${Object.entries(names)
        .map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
        .join(',\n')}\n}\n`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
