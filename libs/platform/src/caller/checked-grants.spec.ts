import { beforeEach, describe, expect, it } from '@jest/globals';
import { ownGrant, type Grant } from './caller.js';
import { CheckedGrants } from './checked-grants.js';
import type { Revocations } from './revocations.js';

const grant: Grant = {
  ...ownGrant('user:1'),
  kind: 'key',
  principalId: 'key:1',
  revocationSubjects: ['key:1', 'user:1'],
};
let revocations: {
  isCurrent: boolean;
  count: number;
  revoke: (subject: string) => void;
  onRevoked: (listener: (subject: string) => void) => void;
};
let grants: CheckedGrants;
let checks: number;

beforeEach(() => {
  checks = 0;
  revocations = {
    isCurrent: true,
    count: 0,
    revoke: () => undefined,
    onRevoked: (listener) => {
      revocations.revoke = (subject) => {
        revocations.count++;
        listener(subject);
      };
    },
  };
  grants = new CheckedGrants(revocations as unknown as Revocations);
});

const get = (found: Grant | undefined = grant, meanwhile: () => void = () => undefined) =>
  grants.get('hash', () => {
    checks++;
    meanwhile();
    return Promise.resolve(found);
  });

describe('CheckedGrants', () => {
  it('asks once', async () => {
    expect([await get(), await get()]).toEqual([grant, grant]);
    expect(checks).toBe(1);
  });

  it.each(['key:1', 'user:1'])('asks again after the revocation of %s', async (subject) => {
    await get();
    revocations.revoke(subject);
    await get();
    expect(checks).toBe(2);
    revocations.revoke('key:other');
    await get();
    expect(checks).toBe(2);
  });

  it('does not remember what was revoked while it was checked', async () => {
    await get(grant, () => revocations.revoke('key:1'));
    await get();
    expect(checks).toBe(2);
  });

  it('asks every time while revocations may have been missed, and forgets nothing for it', async () => {
    await get();
    revocations.isCurrent = false;
    await get();
    await get();
    expect(checks).toBe(3);
    revocations.isCurrent = true;
    await get();
    expect(checks).toBe(3);
  });

  it('does not remember what was checked while revocations may have been missed', async () => {
    revocations.isCurrent = false;
    await get();
    revocations.isCurrent = true;
    await get();
    expect(checks).toBe(2);
  });

  it('gives nothing that is over by time, remembered or not', async () => {
    const over = { ...grant, expiresAt: Date.now() - 1 };
    expect(await get(over)).toBeUndefined();
    const soon = { ...grant, expiresAt: Date.now() + 30 };
    expect(await get(soon)).toBe(soon);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await get(soon)).toBeUndefined();
  });

  it('does not remember that there is nothing', async () => {
    expect(await grants.get('hash', () => Promise.resolve(undefined))).toBeUndefined();
    expect(await get()).toBe(grant);
  });
});
