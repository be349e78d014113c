import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { unprivilegedAccount } from '#libs/platform';
import { AptRoot } from './apt-root.js';

describe('AptRoot', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp('/tmp/openfactory-apt-root-');
    await chmod(dir, 0o755);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const make = (uri: string) =>
    AptRoot.make(dir, [{ uri, suite: 'bookworm', components: ['main'] }], '/usr/share/keyrings/k.gpg');

  it('may be made by a refresh and by builds at once', async () => {
    const sources = Array.from({ length: 8 }, (_, index) => `http://mirror-${index % 2}.example/debian`);
    await Promise.all(sources.map(make));
    expect(sources).toContain(/\] (\S+) /.exec(await readFile(path.join(dir, 'etc/apt/sources.list'), 'utf8'))?.[1]);
    expect(await readdir(path.join(dir, 'var/lib/dpkg'))).toEqual(['status']);
  });

  it('keeps its sources from everybody but the account, and what stayed the same as old as it was', async () => {
    const list = path.join(dir, 'etc/apt/sources.list');
    await make('http://user:secret@mirror.example/debian');
    const before = await stat(list);
    expect(before.mode & 0o777).toBe(0o640);
    expect(before.gid).toBe((await unprivilegedAccount())?.gid ?? process.getgid?.());
    await make('http://user:secret@mirror.example/debian');
    expect((await stat(list)).ino).toBe(before.ino);
  });
});
