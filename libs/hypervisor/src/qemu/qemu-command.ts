import type { Acceleration, GuestSpec } from '../hypervisor.port.js';
import { guestHelperPort } from '../guest-helper-files.js';
import { guestDir } from './confinement.js';

export const qemuProgram = 'qemu-system-x86_64';
/** One for all: what a guest sees must not change with the host's QEMU. Known by every QEMU from Debian 12 on. */
const machineType = 'pc-q35-7.2';

/** As QEMU sees them. */
export const seen = { iso: '/image.iso', qmp: `${guestDir}/qmp.sock`, agent: `${guestDir}/agent.sock`, helper: `${guestDir}/helper.sock`, variables: `${guestDir}/variables.fd` };
export const firmware = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' };

/** What every guest has, the probe's too: that one works says that the others can. */
export function machineArguments(kind: Acceleration['kind']): string[] {
  // x86-64-v2, the least that today's distributions ask for: emulated vectors of AVX cost the boot more than they give.
  const processor = kind === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'Nehalem,+rdrand,+rdseed'];
  return ['-nodefaults', '-no-user-config', '-machine', machineType, ...processor, '-display', 'none', '-nic', 'none', '-no-reboot', '-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'];
}

/**
 * The whole command line of a guest. It holds numbers and names of ours only; block devices and devices are JSON, where no comma means anything.
 * The guest stands still (-S) until all sockets are connected: afterwards nothing that it might put in their place is ever opened.
 */
export function guestArguments({ isoPath, memoryMb, vcpus, firmware: kind }: GuestSpec, acceleration: Acceleration['kind']): string[] {
  const pflash = (id: string, filename: string, readOnly: boolean) => ['-blockdev', json({ driver: 'raw', 'node-name': id, 'read-only': readOnly, file: { driver: 'file', filename } })];
  const uefi = [...pflash('code', firmware.code, true), ...pflash('variables', seen.variables, false), '-machine', 'pflash0=code,pflash1=variables'];
  const cd = [
    ...['-blockdev', json({ driver: 'raw', 'node-name': 'cd', 'read-only': true, file: { driver: 'file', filename: seen.iso } })],
    ...device({ driver: 'virtio-scsi-pci', id: 'scsi' }),
    ...device({ driver: 'scsi-cd', bus: 'scsi.0', drive: 'cd', bootindex: 0 }),
  ];
  return [
    ...machineArguments(acceleration),
    ...['-S', '-m', String(memoryMb), '-smp', String(vcpus)],
    ...(kind === 'uefi' ? uefi : []),
    ...(isoPath === undefined ? [] : cd),
    ...device({ driver: 'virtio-vga' }),
    // To our pipe, not to a file: QEMU's files know no cap.
    ...['-chardev', 'stdio,id=serial,signal=off', '-serial', 'chardev:serial'],
    ...['-chardev', `socket,id=qmp,path=${seen.qmp},server=on,wait=off`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=agent,path=${seen.agent},server=on,wait=off`],
    ...['-chardev', `socket,id=helper,path=${seen.helper},server=on,wait=off`],
    ...device({ driver: 'virtio-serial-pci', id: 'ports' }),
    // Numbered by us: a saved state of a guest knows a port by its number.
    ...device({ driver: 'virtserialport', bus: 'ports.0', nr: 1, chardev: 'agent', name: 'org.qemu.guest_agent.0' }),
    ...device({ driver: 'virtserialport', bus: 'ports.0', nr: 2, chardev: 'helper', name: guestHelperPort }),
    ...['-object', 'rng-builtin,id=rng'],
    ...device({ driver: 'virtio-rng-pci', rng: 'rng' }),
  ];
}

/** The guest's memory, and for QEMU itself more than it ever takes: a break-out cannot eat the host. */
export const addressBytes = ({ memoryMb, vcpus }: GuestSpec): number => (memoryMb + 4_096 + 256 * vcpus) * 2 ** 20;

const json = (value: object) => JSON.stringify(value);
const device = (properties: object) => ['-device', json(properties)];
