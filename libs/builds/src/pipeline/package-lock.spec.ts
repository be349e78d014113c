import { describe, expect, it } from '@jest/globals';
import { installable, type LockedPackage } from './package-lock.js';

const locked = (name: string) => ({ name }) as LockedPackage;

describe('installable', () => {
  it('asks for the removal of what is there, and of nothing that apt could not know', () => {
    expect(
      installable({
        base: [locked('qemu-guest-agent')],
        added: [locked('nano'), locked('g++')],
        requested: ['g++', 'nano', 'jq-', 'qemu-guest-agent-'],
      }),
    ).toEqual(['g++', 'nano', 'qemu-guest-agent-']);
  });
});
