import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseInput } from '#libs/platform';
import { RecipeDto, type AptPackageSource, type Resolution } from '#libs/recipes';
import type { PipelineState } from '../stage.js';
import { StageCache } from '../stage-cache.js';
import { readStanzas, readUris, ResolveStage } from './resolve.stage.js';

const uris = `Reading package lists...
'http://mirror/pool/main/h/htop/htop_3.2.2-2_amd64.deb' htop_3.2.2-2_amd64.deb 152296 MD5Sum:aa
'http://mirror/pool/main/z/zlib/zlib1g_1%3a1.2.13_amd64.deb' zlib1g_1%3a1.2.13_amd64.deb 86692
'http://mirror/pool/main/t/tzdata/tzdata_2024a-0_all.deb' tzdata_2024a-0_all.deb 1 SHA256:bb
`;
const stanza = (name: string, version: string, architecture: string, sha: string) =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nFilename: pool/${name}.deb\nSize: 7\nSHA256: ${sha.repeat(64)}\nDescription: x\n`;

describe('readUris', () => {
  it('reads names, epochs and architectures out of what apt prints', () => {
    expect([...readUris(uris).keys()]).toEqual(['htop:amd64=3.2.2-2', 'zlib1g:amd64=1:1.2.13', 'tzdata=2024a-0']);
  });
});

describe('readStanzas', () => {
  const all = [
    stanza('zlib1g', '1:1.2.13', 'amd64', 'b'),
    stanza('htop', '3.2.2-2', 'amd64', 'a'),
    stanza('tzdata', '2024a-0', 'all', 'c'),
    stanza('htop', '9', 'amd64', 'd'),
  ];

  it('locks exactly the listed versions, by name', () => {
    const locked = readStanzas(all.join('\n\n'), readUris(uris));
    expect(locked.map(({ name, version, sha256 }) => [name, version, sha256[0]])).toEqual([
      ['htop', '3.2.2-2', 'a'],
      ['tzdata', '2024a-0', 'c'],
      ['zlib1g', '1:1.2.13', 'b'],
    ]);
    expect(locked[0]).toMatchObject({
      sizeBytes: 7,
      poolPath: 'pool/htop.deb',
      url: expect.stringContaining('htop_3.2.2-2'),
    });
  });

  it('refuses to go on without the hash of a package', () => {
    expect(() => readStanzas(all.slice(1).join('\n\n'), readUris(uris))).toThrow('zlib1g:amd64=1:1.2.13');
    expect(() => readStanzas(all.join('\n\n').replaceAll(/SHA256: b+/g, 'SHA256: short'), readUris(uris))).toThrow(
      'zlib1g',
    );
  });
});

describe('ResolveStage', () => {
  let dir: string;
  let installations: string[][];
  let builds = 0;
  const list = (name: string) => path.join(dir, 'apt/lists', `mirror_dists_bookworm_${name}`);

  /** apt as far as the stage uses it: it knows htop, tzdata and zlib1g, and installs what it is asked for. */
  const root = () => ({
    dir: path.join(dir, 'apt'),
    listsDir: path.join(dir, 'apt/lists'),
    run: (program: string, args: string[]) => {
      if (program === 'dpkg') return Promise.resolve({ stdout: 'amd64\n' });
      const names = args.slice(args.indexOf('--') + 1);
      if (program === 'apt-cache')
        return Promise.resolve({
          stdout: [
            stanza('zlib1g', '1:1.2.13', 'amd64', 'b'),
            stanza('htop', '3.2.2-2', 'amd64', 'a'),
            stanza('tzdata', '2024a-0', 'all', 'c'),
          ].join('\n\n'),
        });
      installations.push(names);
      return Promise.resolve({
        stdout: uris
          .split('\n')
          .filter((line) => names.some((name) => line.includes(`/${name}_`)))
          .join('\n'),
      });
    },
  });
  const resolve = async (packages: string[]) => {
    const source = {
      root: () => Promise.resolve(root()),
      imageSources: () => Promise.resolve([]),
    } as unknown as AptPackageSource;
    const base = {
      id: 'debian-bookworm',
      archive: { suite: 'bookworm', packages: ['tzdata'], kernels: { amd64: { generic: 'zlib1g' } } },
    } as never;
    const resolution: Resolution = {
      base,
      features: [],
      packages,
      installed: packages,
      removedPackages: [],
      services: [],
      units: [],
    };
    const state: PipelineState = {
      input: { buildId: 'b', ownerId: 'o', recipe: {} },
      recipe: parseInput(RecipeDto, { name: 'web', base_image: 'debian-bookworm' }),
      resolution,
      aptSources: [],
      layers: [],
      squashfs: [],
    };
    const outDir = path.join(dir, `resolve-${builds++}`);
    await mkdir(outDir);
    // A stage of its own for each build, as after a restart: what is kept is kept on the disk.
    const stage = new ResolveStage(source, new StageCache(path.join(dir, 'cache')));
    await stage.make(state, outDir, {
      workDir: dir,
      signal: new AbortController().signal,
      progress: () => undefined,
      log: () => undefined,
    });
    await stage.take(state, outDir);
    return {
      added: state.lock?.added.map(({ name }) => name),
      files: await Promise.all(['lock.json', 'sources.json'].map((name) => readFile(path.join(outDir, name), 'utf8'))),
    };
  };

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'of-resolve-'));
    installations = [];
    await mkdir(path.dirname(list('')), { recursive: true });
    await mkdir(path.join(dir, 'apt/etc/apt'), { recursive: true });
    await writeFile(path.join(dir, 'apt/etc/apt/sources.list'), 'deb http://mirror bookworm main\n');
    await writeFile(list('InRelease'), 'Codename: bookworm\nDate: Sat, 01 Nov 2025 10:00:00 UTC\n');
    await writeFile(list('main_Packages'), 'Package: htop\n');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('asks apt once about the same packages in the same index, and makes the same lock', async () => {
    const first = await resolve(['htop']);
    expect(first.added).toEqual(['htop']);
    expect(installations).toHaveLength(2);
    expect(await resolve(['htop'])).toEqual(first);
    expect(installations).toHaveLength(2);
  });

  it('asks only about what another recipe adds to the same base', async () => {
    await resolve(['htop']);
    expect((await resolve([])).added).toEqual([]);
    expect(installations).toHaveLength(2);
  });

  it('asks anew when a list was written anew, though it be as long and as old, or the sources are others', async () => {
    await resolve(['htop']);
    await writeFile(`${list('main_Packages')}.new`, 'Package: htap\n');
    await rename(`${list('main_Packages')}.new`, list('main_Packages'));
    await resolve(['htop']);
    expect(installations).toHaveLength(4);
    await writeFile(path.join(dir, 'apt/etc/apt/sources.list'), 'deb http://other bookworm main\n');
    await resolve(['htop']);
    expect(installations).toHaveLength(6);
  });
});
