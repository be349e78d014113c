import { describe, expect, it } from '@jest/globals';
import type { GuestShape } from '../hypervisor.port.js';
import { guestArguments, type GuestPlan } from './qemu-command.js';

const shape: GuestShape = { memoryMb: 512, vcpus: 2, firmware: 'bios', network: 'none', disk: true };
const plan = (more: Partial<GuestPlan> = {}): GuestPlan => ({
  shape,
  acceleration: 'tcg',
  threads: 'multi',
  name: 'guest-x',
  isoDescriptor: 5,
  networkBackend: { type: 'hubport', hubid: 0 },
  ...more,
});
const values = (flag: string, args: string[]) => args.flatMap((one, index) => (one === flag ? [args[index + 1]!] : []));
const drivers = (args: string[]) =>
  values('-device', args).map((one) => (JSON.parse(one) as { driver: string }).driver);

describe('the command line of a guest', () => {
  it('has the same machine and devices for a template and for its clones', () => {
    const template = guestArguments(plan({ memory: { path: '/guest/memory', isOwn: true } }));
    const clone = guestArguments(plan({ memory: { path: '/memory', isOwn: false }, isClone: true, isoDescriptor: 7 }));
    for (const flag of ['-machine', '-cpu', '-accel', '-smp', '-m', '-device', '-blockdev'])
      expect(values(flag, clone)).toEqual(values(flag, template));
    expect(values('-incoming', clone)).toEqual(['defer']);
    expect(values('-incoming', template)).toEqual([]);
  });

  it('has memory under the name that a saved state knows, its own or shared', () => {
    const [own, shared] = [true, false].map((isOwn) => guestArguments(plan({ memory: { path: '/m', isOwn } })));
    expect(JSON.parse(values('-object', own!).find((one) => one.startsWith('{'))!)).toEqual({
      'qom-type': 'memory-backend-file',
      id: 'pc.ram',
      size: 512 * 2 ** 20,
      'mem-path': '/m',
      share: true,
    });
    expect(values('-object', shared!).join()).toContain('"share":false');
    expect(values('-machine', own!)).toContain('memory-backend=pc.ram');
    expect(values('-object', guestArguments(plan()))).toEqual(['rng-builtin,id=rng']);
  });

  it('has a disk and a card where the shape says so, and no card for the check of an image', () => {
    expect(drivers(guestArguments(plan()))).toEqual(
      expect.arrayContaining([
        'virtio-blk-pci',
        'virtio-net-pci',
        'scsi-cd',
        'virtio-tablet-pci',
        'virtio-keyboard-pci',
      ]),
    );
    const check = guestArguments(plan({ shape: { ...shape, disk: false } }));
    for (const driver of ['virtio-blk-pci', 'virtio-net-pci']) expect(drivers(check)).not.toContain(driver);
    expect(drivers(guestArguments(plan({ shape: { ...shape, disk: false, network: 'egress' } })))).toContain(
      'virtio-net-pci',
    );
  });

  it('lets what is sent go where nobody is: a hub of one port would hold it', () => {
    const hub = (args: string[]) =>
      values('-netdev', args).map((one) => JSON.parse(one) as { type: string; hubid: number; id: string });
    const ports = hub(guestArguments(plan()));
    expect(ports).toEqual([
      { type: 'hubport', hubid: 0, id: expect.any(String) },
      { type: 'hubport', hubid: 0, id: expect.any(String) },
    ]);
    expect(new Set(ports.map(({ id }) => id)).size).toBe(2);
    expect(hub(guestArguments(plan({ networkBackend: { type: 'user' } })))).toHaveLength(1);
  });

  it('ends on a reset only where that is asked for', () => {
    expect(guestArguments(plan())).not.toContain('-no-reboot');
    expect(guestArguments(plan({ endsOnReset: true }))).toContain('-no-reboot');
  });

  it('takes its image by descriptor, and denies itself new programs and privileges', () => {
    const args = guestArguments(plan());
    expect(values('-add-fd', args)).toEqual(['fd=5,set=1']);
    expect(values('-blockdev', args).find((one) => one.includes('"cd"'))).toContain('/dev/fdset/1');
    expect(values('-sandbox', args)).toEqual([
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ]);
  });
});
