import { describe, expect, it } from '@jest/globals';
import { catalogue } from '../../testing/recipe.factory.js';
import { chooseMirrors, readTargets, sourcesOf } from './apt-mirrors.js';
import { withoutCredentials } from './apt-package-source.js';
import { readRelations, StanzaReader, type Stanza } from './control-stanzas.js';
import { readPackage, recordFields, settleDependencies } from './package-records.js';

const text = `Package: mta-a
Version: 1.0
Priority: extra
Conflicts: mail-transport-agent, old-mta (<< 2)
Provides: mail-transport-agent (= 1), smtp
Description: ümlaut
 Package: not-this
Size: 100
Installed-Size: 5

Package: mta-b
Version: 2.0
Provides: mail-transport-agent
Breaks: mail-transport-agent
Size: 10
Installed-Size: 1

Package: base-files
Version: 12
Essential: yes
Priority: required

Package: reader
Version: 3
Pre-Depends: base-files (>= 1)
Depends: nothing-here | mta-a:any (>= 1) | mta-b, mail-transport-agent, gone, reader`;

function read(chunkBytes: number): Stanza[] {
  const stanzas: Stanza[] = [];
  const reader = new StanzaReader(recordFields, (stanza) => stanzas.push(stanza));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.subarray(at, at + chunkBytes));
  reader.end();
  return stanzas;
}

describe('control data', () => {
  it.each([1, 7, 64, 100_000])('reads the same in chunks of %i bytes', (size) => {
    const stanzas = read(size);
    expect(stanzas.map(({ Package: name }) => name)).toEqual(['mta-a', 'mta-b', 'base-files', 'reader']);
    expect(stanzas[0]).toEqual({
      Package: 'mta-a',
      Version: '1.0',
      Priority: 'extra',
      Conflicts: 'mail-transport-agent, old-mta (<< 2)',
      Provides: 'mail-transport-agent (= 1), smtp',
      Size: '100',
      'Installed-Size': '5',
    });
  });

  it('reads relations', () => expect(readRelations('a (>= 1) | b [amd64], c:any')).toEqual([['a', 'b'], ['c']]));
});

describe('settleDependencies', () => {
  it('takes the first real alternative, else the provider that a system is likeliest to hold', async () => {
    const raw = new Map(
      read(1000)
        .map((stanza) => readPackage(stanza))
        .flatMap((entry) => (entry ? [[entry.name, entry] as const] : [])),
    );
    const records = await settleDependencies(raw, new Map([['reader', new Set(['3', '2'])]]));
    const reader = records.find(({ name }) => name === 'reader');
    expect(reader).toEqual({
      name: 'reader',
      version: '3',
      versions: ['3', '2'],
      depends: ['base-files', 'mta-a', 'mta-b'],
      provides: [],
      requires: ['base-files'],
      conflicts: ['mail-transport-agent'],
      essential: false,
      downloadBytes: 0,
      installedBytes: 0,
    });
    expect(records.find(({ name }) => name === 'mta-a')).toMatchObject({ downloadBytes: 100, installedBytes: 5_120 });
    expect(records.find(({ name }) => name === 'base-files')?.essential).toBe(true);
  });
});

describe('mirrors', () => {
  const targets = readTargets(
    'Debian|Debian|http://m.example/debian/\nDebian|Debian-Security|http://s.example/debian-security/\nGoogle|Google|https://g.example/apt/\n',
  );

  it('are those whose Release says so', () => {
    expect(chooseMirrors('debian', targets)).toEqual({
      main: 'http://m.example/debian',
      security: 'http://s.example/debian-security',
    });
    expect(chooseMirrors('debian', targets.slice(0, 1))).toEqual({
      main: 'http://m.example/debian',
      security: 'http://m.example/debian-security',
    });
    expect(chooseMirrors('debian', targets.slice(2))).toBeUndefined();
    expect(chooseMirrors('ubuntu', targets)).toBeUndefined();
  });

  it('give the suites of the base, whatever the host’s are', () => {
    const trixie = catalogue.availableBases.find(({ id }) => id === 'debian-trixie');
    expect(
      trixie &&
        sourcesOf(trixie, { main: 'http://m', security: 'http://s' }).map(({ uri, suite }) => `${uri} ${suite}`),
    ).toEqual(['http://m trixie', 'http://m trixie-updates', 'http://s trixie-security']);
  });

  it('keep their credentials to themselves', () =>
    expect(withoutCredentials('Err:1 https://user:hunter2@m.example/debian x')).toBe(
      'Err:1 https://m.example/debian x',
    ));
});
