import { describe, expect, it } from '@jest/globals';
import { makeSshHostKeys } from './ssh-host-keys.js';

describe('makeSshHostKeys', () => {
  it('makes keys that are new each time, in the form that the guest helper takes', async () => {
    const [one, other] = await Promise.all([makeSshHostKeys('one'), makeSshHostKeys('other')]);
    expect(one.map(({ type }) => type)).toEqual(['ed25519', 'ecdsa']);
    for (const { privateKey, publicKey } of one) {
      expect(privateKey).toMatch(
        /^-----BEGIN OPENSSH PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END OPENSSH PRIVATE KEY-----\n$/,
      );
      expect(publicKey).toMatch(/^(ssh-ed25519|ecdsa-sha2-nistp256) [A-Za-z0-9+/=]+ root@one\n$/);
    }
    expect(new Set([...one, ...other].map(({ publicKey }) => publicKey.split(' ')[1])).size).toBe(4);
  });
});
