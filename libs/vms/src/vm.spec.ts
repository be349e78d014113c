import { describe, expect, it } from '@jest/globals';
import { admitRunning, admitVm, checkDemand, type VmLimits, type VmUse } from './admission.js';
import { macOf, snapshotKey } from './host/machine-shape.js';
import { generateName, isReserved, vmNamePattern } from './vm-name.js';
import { isLive, startableStates, statesBefore, transitions, vmStates, type Vm } from './vm.js';

describe('the states of a VM', () => {
  it('can all be reached from its first, and left again', () => {
    const reached = new Set(['creating']);
    for (const state of reached) for (const next of transitions[state as 'creating']) reached.add(next);
    expect([...reached].sort()).toEqual([...vmStates].sort());
    for (const state of vmStates) expect([state, transitions[state].length > 0]).toEqual([state, true]);
  });

  it('say what may come before what', () => {
    expect(statesBefore('stopping')).toEqual(['running']);
    expect(statesBefore('restoring')).toEqual(['creating', 'lost']);
    expect(startableStates).toEqual(['stopped', 'failed']);
    for (const state of startableStates) expect(isLive(state)).toBe(false);
  });
});

describe('the name of a VM', () => {
  it.each(['a', '0', 'web-1', 'a'.repeat(63)])('may be %s', (name) => expect(vmNamePattern.test(name)).toBe(true));
  it.each(['', '-a', 'A', 'a b', 'a,b', 'a/b', "a'b", 'a"b', 'a\nb', 'a\n', '../x', 'ä', 'a'.repeat(64)])(
    'may not be %j',
    (name) => expect(vmNamePattern.test(name)).toBe(false),
  );

  it('is made of that of its build', () => {
    expect(generateName('Web Server_12', 'abcdef')).toBe('web-server-12-abcdef');
    for (const odd of ['', '---', 'ÄÖÜ', 'of-mine', 'of', 'x'.repeat(500)]) {
      expect(generateName(odd)).toMatch(vmNamePattern);
      expect(isReserved(generateName(odd))).toBe(false);
    }
    expect(generateName('web')).not.toBe(generateName('web'));
  });
});

describe('admission', () => {
  const gib = 2 ** 30;
  const limits: VmLimits = {
    vmsPerCaller: 3,
    vms: 5,
    memoryMb: 4096,
    vcpus: 8,
    vcpusPerVm: 4,
    leastFreeDiskBytes: 5 * gib,
  };
  const use: VmUse = { vmsOfCaller: 2, vms: 4, memoryMb: 3072, vcpus: 6, freeDiskBytes: 6 * gib };
  const demand = { memoryMb: 1024, vcpus: 2 };
  const admit = (more: Partial<VmUse> & { memory?: number }) => () => {
    admitVm(limits, { ...use, ...more });
    admitRunning({ ...demand, memoryMb: more.memory ?? 1024 }, limits, { ...use, ...more });
  };

  it('takes what just fits', () => expect(admit({})).not.toThrow());

  it.each([
    [{ vmsOfCaller: 3 }, 'vm_quota', 'You have 3 VMs, and 3 is the most.'],
    [{ vms: 5 }, 'host_full', 'holds 5 VMs, and 5 is the most'],
    [{ freeDiskBytes: 4.94 * gib }, 'host_full', '4.9 GiB free, and VMs start only above 5.0 GiB'],
    [{ memory: 1025 }, 'host_full', '3072 of its 4096 MiB for VMs are taken, and this one needs 1025'],
    [{ vcpus: 7 }, 'host_full', '7 of its 8 virtual processors are taken, and this one needs 2'],
  ])('refuses %j as %s, with the numbers', (more, reason, words) => {
    expect(admit(more)).toThrow(expect.objectContaining({ reason, message: expect.stringContaining(words) }));
  });

  it('tells at once what no host could give', () => {
    expect(() => checkDemand({ memoryMb: 4097, vcpus: 5 }, limits)).toThrow(
      expect.objectContaining({
        reason: 'invalid_arguments',
        violations: [expect.objectContaining({ path: '/memory_mb' }), expect.objectContaining({ path: '/vcpus' })],
      }),
    );
    expect(() => checkDemand({ memoryMb: 4096, vcpus: 4 }, limits)).not.toThrow();
  });
});

describe('clones', () => {
  const vm = { ownerId: 'address:192.0.2.1', imageSha256: 'ab', persistenceLabel: 'of-1' } as Vm;
  it('share a snapshot with nothing of another owner, image or shape', () => {
    const keys = [
      snapshotKey(vm, 'f'),
      snapshotKey({ ...vm, ownerId: 'address:192.0.2.2' }, 'f'),
      snapshotKey({ ...vm, imageSha256: 'cd' }, 'f'),
      snapshotKey(vm, 'g'),
    ];
    expect(new Set(keys).size).toBe(4);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  it('have addresses of their own, locally administered', () => {
    expect(macOf('a')).toMatch(/^52(:[0-9a-f]{2}){5}$/);
    expect(macOf('a')).toBe(macOf('a'));
    expect(macOf('a')).not.toBe(macOf('b'));
  });
});
