import { describe, expect, it } from '@jest/globals';
import { readStanzas, readUris } from './resolve.stage.js';

const uris = `Reading package lists...
'http://mirror/pool/main/h/htop/htop_3.2.2-2_amd64.deb' htop_3.2.2-2_amd64.deb 152296 MD5Sum:aa
'http://mirror/pool/main/z/zlib/zlib1g_1%3a1.2.13_amd64.deb' zlib1g_1%3a1.2.13_amd64.deb 86692
'http://mirror/pool/main/t/tzdata/tzdata_2024a-0_all.deb' tzdata_2024a-0_all.deb 1 SHA256:bb
`;
const stanza = (name: string, version: string, architecture: string, sha: string) => `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nFilename: pool/${name}.deb\nSize: 7\nSHA256: ${sha.repeat(64)}\nDescription: x\n`;

describe('readUris', () => {
  it('reads names, epochs and architectures out of what apt prints', () => {
    expect([...readUris(uris).keys()]).toEqual(['htop:amd64=3.2.2-2', 'zlib1g:amd64=1:1.2.13', 'tzdata=2024a-0']);
  });
});

describe('readStanzas', () => {
  const all = [stanza('zlib1g', '1:1.2.13', 'amd64', 'b'), stanza('htop', '3.2.2-2', 'amd64', 'a'), stanza('tzdata', '2024a-0', 'all', 'c'), stanza('htop', '9', 'amd64', 'd')];

  it('locks exactly the listed versions, by name', () => {
    const locked = readStanzas(all.join('\n\n'), readUris(uris));
    expect(locked.map(({ name, version, sha256 }) => [name, version, sha256[0]])).toEqual([['htop', '3.2.2-2', 'a'], ['tzdata', '2024a-0', 'c'], ['zlib1g', '1:1.2.13', 'b']]);
    expect(locked[0]).toMatchObject({ sizeBytes: 7, poolPath: 'pool/htop.deb', url: expect.stringContaining('htop_3.2.2-2') });
  });

  it('refuses to go on without the hash of a package', () => {
    expect(() => readStanzas(all.slice(1).join('\n\n'), readUris(uris))).toThrow('zlib1g:amd64=1:1.2.13');
    expect(() => readStanzas(all.join('\n\n').replaceAll(/SHA256: b+/g, 'SHA256: short'), readUris(uris))).toThrow('zlib1g');
  });
});
