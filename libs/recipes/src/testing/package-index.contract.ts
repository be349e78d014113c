import { expect, it } from '@jest/globals';
import { packageRecord } from './fake-package-index.js';
import type { PackageIndex } from '../packages/package-index.port.js';
import type { PackageRecord } from '../packages/package-source.port.js';

const packages: PackageRecord[] = [
  packageRecord('base-files', { essential: true, installedBytes: 100, downloadBytes: 10 }),
  packageRecord('nginx', {
    depends: ['libc6', 'nginx-common'],
    versions: ['1.22-3', '1.22-2'],
    version: '1.22-3',
    installedBytes: 1_000,
    downloadBytes: 100,
  }),
  packageRecord('nginx-common', {
    depends: ['nginx'],
    provides: ['nginx-config'],
    installedBytes: 200,
    downloadBytes: 20,
  }),
  packageRecord('libc6', { installedBytes: 3_000_000_000, downloadBytes: 3 }),
  packageRecord('postfix', { provides: ['mail-transport-agent'], conflicts: ['mail-transport-agent'] }),
  packageRecord('exim4', { provides: ['mail-transport-agent', 'smtp'] }),
  packageRecord('mailer', { depends: ['exim4'] }),
];

/** What every PackageIndex must do. `open` gives one with these packages for the base "one" and nothing for "other". */
export function packageIndexContract(open: (packages: PackageRecord[]) => Promise<PackageIndex>): void {
  it('tells whether it is loaded', async () => {
    const index = await open(packages);
    expect(await index.state('one')).toEqual({
      loaded: true,
      refreshedAt: expect.any(Date),
      packageCount: 7,
      architecture: 'amd64',
    });
    expect(await index.state('other')).toMatchObject({ loaded: false, refreshedAt: null, packageCount: 0 });
  });

  it('tells real, virtual and missing names apart', async () => {
    const index = await open(packages);
    expect(await index.lookup('one', ['nginx', 'mail-transport-agent', 'nothing', 'nothing', 'nginx'])).toEqual({
      found: [{ name: 'nginx', version: '1.22-3', versions: ['1.22-3', '1.22-2'] }],
      virtual: [{ name: 'mail-transport-agent', providers: ['exim4', 'postfix'] }],
      missing: ['nothing'],
    });
    expect(await index.lookup('other', ['nginx'])).toEqual({ found: [], virtual: [], missing: ['nginx'] });
    expect(await index.lookup('one', [])).toEqual({ found: [], virtual: [], missing: [] });
  });

  it('takes names as text, never as part of a query', async () => {
    const index = await open(packages);
    const odd = ["'; DROP TABLE recipe; --", '{a,b}', '"', '\\', '%'];
    expect((await index.lookup('one', odd)).missing.sort()).toEqual([...odd].sort());
  });

  it('finds near names', async () => {
    const index = await open(packages);
    const near = await index.nearest('one', ['ngnix', 'postfx', 'completely-different'], 1);
    expect([near.get('ngnix'), near.get('postfx'), near.get('completely-different')]).toEqual([
      ['nginx'],
      ['postfix'],
      [],
    ]);
    expect(
      (
        await index.nearest(
          'one',
          Array.from({ length: 50 }, (_, at) => `n${at}`),
        )
      ).size,
    ).toBe(20);
  });

  it('tells what cannot be together, also by what it cannot do without, and nothing of a package and itself', async () => {
    const index = await open(packages);
    expect(await index.conflicts('one', ['nginx', 'postfix', 'nothing'])).toEqual([]);
    expect(await index.conflicts('one', ['exim4', 'postfix'])).toEqual([
      { names: ['postfix', 'exim4'], packages: ['postfix', 'exim4'] },
    ]);
    expect(await index.conflicts('one', ['mailer', 'postfix'])).toEqual([
      { names: ['postfix', 'mailer'], packages: ['postfix', 'exim4'] },
    ]);
    expect(await index.conflicts('other', ['exim4', 'postfix'])).toEqual([]);
  });

  it('follows dependencies, also in circles, and counts the essential packages', async () => {
    const index = await open(packages);
    expect(await index.closure('one', ['nginx', 'nothing'])).toEqual({
      names: ['base-files', 'libc6', 'nginx', 'nginx-common'],
      downloadBytes: 133,
      installedBytes: 3_000_001_300,
    });
    expect(await index.closure('other', ['nginx'])).toEqual({ names: [], downloadBytes: 0, installedBytes: 0 });
  });
}
