import { guestHelperPort } from '../guest-helper-files.js';
import type { Acceleration, GuestShape } from '../hypervisor.port.js';

export const qemuProgram = 'qemu-system-x86_64';
/** One for all: what a guest sees must not change with the host's QEMU. Known by every QEMU from Debian 12 on. */
const machineType = 'pc-q35-7.2';

/** Where QEMU sees its own directory, that of its sockets, and single files: the host's paths, and their length, are no matter. */
export const guestDir = '/guest';
export const socketDir = '/sockets';
export const socketNames = {
  qmp: 'qmp.sock',
  agent: 'agent.sock',
  helper: 'helper.sock',
  serial: 'serial.sock',
  screen: 'screen.sock',
  state: 'state.sock',
};
/** The disk names its backing file by a relative path: the two stand side by side here as on the host. */
export const seen = {
  disk: '/disk.qcow2',
  base: '/base.qcow2',
  ownMemory: `${guestDir}/memory`,
  sharedMemory: '/memory',
  variables: `${guestDir}/variables.fd`,
};
export const firmware = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' };

/** The same in all guests: a saved state holds it, and a clone gets one of its own from inside. */
const macAddress = '52:54:00:6f:66:01';
export const cardId = 'card';
export const diskNode = 'disk';
const netdevId = 'network';

/** Whether TCG has one thread for all processors of a guest, or one for each; KVM has always the latter. */
export type TcgThreads = 'single' | 'multi';

export interface GuestPlan {
  shape: GuestShape;
  acceleration: Acceleration['kind'];
  threads: TcgThreads;
  /** What QMP calls it. */
  name: string;
  /** The open image, as QEMU inherits it. */
  isoDescriptor?: number;
  /** A file that is its memory; `isOwn`: what it writes there stays. Absent: memory without a name. */
  memory?: { path: string; isOwn: boolean };
  /** Its network backend, as `-netdev` has it, without an id. */
  networkBackend?: Record<string, unknown>;
  /** Waits for a saved state instead of starting. */
  isClone?: boolean;
  /** A reset is the end of it. */
  endsOnReset?: boolean;
}

/** Checks of images boot a machine without a card; what is kept or reaches out has one. */
export const hasCard = ({ disk, network }: GuestShape): boolean => disk || network === 'egress';

/** What every guest has, the probe's too: that one works says that the others can. */
export function machineArguments(kind: Acceleration['kind'], threads: TcgThreads): string[] {
  // x86-64-v2, the least that today's distributions ask for: emulated vectors of AVX cost the boot more than they give. Its model is that of a CPU
  // without speculation (Linux, arch/x86/kernel/cpu/common.c, cpu_vuln_whitelist): what a kernel does against Meltdown and Spectre protects nothing in
  // an emulated CPU, and takes a quarter of a boot's time.
  const processor =
    kind === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', `tcg,thread=${threads},tb-size=256`, '-cpu', 'Nehalem,model=28,+rdrand'];
  return [
    '-nodefaults',
    '-no-user-config',
    '-machine',
    machineType,
    ...processor,
    '-display',
    'none',
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ];
}

/**
 * The whole command line of a guest. It holds numbers and names of ours only; block devices and devices are JSON, where no comma means anything.
 * The guest stands still (-S) until its sockets are out of its reach.
 */
export function guestArguments(plan: GuestPlan): string[] {
  const { shape, acceleration, threads, name } = plan;
  return [
    ...machineArguments(acceleration, threads),
    ...['-S', '-name', name, '-smp', String(shape.vcpus), ...memoryArguments(plan)],
    ...(plan.endsOnReset ? ['-no-reboot'] : []),
    ...(plan.isClone ? ['-incoming', 'defer'] : []),
    ...['-chardev', socket('serial'), '-serial', 'chardev:serial'],
    ...['-chardev', socket('agent'), '-chardev', socket('helper')],
    // The last of the sockets: when it answers, the others are there.
    ...['-vnc', `unix:${socketDir}/${socketNames.screen},share=force-shared`],
    ...['-chardev', socket('qmp'), '-mon', 'chardev=qmp,mode=control'],
    ...deviceArguments(plan),
  ];
}

/** In this order for ever: a saved state finds its devices by their places. */
function deviceArguments({ shape, isoDescriptor, networkBackend }: GuestPlan): string[] {
  const pflash = (id: string, filename: string, readOnly: boolean) =>
    block({ driver: 'raw', 'node-name': id, 'read-only': readOnly, file: { driver: 'file', filename } });
  const uefi = [
    ...pflash('code', firmware.code, true),
    ...pflash('variables', seen.variables, false),
    '-machine',
    'pflash0=code,pflash1=variables',
  ];
  const cd = [
    ...['-add-fd', `fd=${isoDescriptor},set=1`],
    ...block({
      driver: 'raw',
      'node-name': 'cd',
      'read-only': true,
      file: { driver: 'file', filename: '/dev/fdset/1' },
    }),
    ...device({ driver: 'virtio-scsi-pci', id: 'scsi' }),
    ...device({ driver: 'scsi-cd', bus: 'scsi.0', drive: 'cd', bootindex: 0 }),
  ];
  // A full host is an error in the guest: with QEMU's default it would stand still, and nobody would know.
  const disk = [
    ...block({
      driver: 'qcow2',
      'node-name': diskNode,
      discard: 'unmap',
      file: { driver: 'file', filename: seen.disk, discard: 'unmap' },
    }),
    ...device({ driver: 'virtio-blk-pci', id: 'disk0', drive: diskNode, werror: 'report', rerror: 'report' }),
  ];
  // A hub holds what is sent for as long as nobody else is on it, and the guest says for ever that its card is stuck; a port that leads nowhere takes it.
  const sink = networkBackend?.type === 'hubport' ? ['-netdev', json({ ...networkBackend, id: 'sink' })] : [];
  const card = [
    '-netdev',
    json({ ...networkBackend, id: netdevId }),
    ...sink,
    ...device({ driver: 'virtio-net-pci', id: cardId, netdev: netdevId, mac: macAddress, romfile: '' }),
  ];
  return [
    ...(shape.firmware === 'uefi' ? uefi : []),
    ...(isoDescriptor === undefined ? [] : cd),
    ...device({ driver: 'virtio-vga' }),
    ...device({ driver: 'virtio-tablet-pci' }),
    ...device({ driver: 'virtio-keyboard-pci' }),
    ...device({ driver: 'virtio-serial-pci', id: 'ports' }),
    // Numbered by us: a saved state of a guest knows a port by its number.
    ...device({ driver: 'virtserialport', bus: 'ports.0', nr: 1, chardev: 'agent', name: 'org.qemu.guest_agent.0' }),
    ...device({ driver: 'virtserialport', bus: 'ports.0', nr: 2, chardev: 'helper', name: guestHelperPort }),
    ...['-object', 'rng-builtin,id=rng'],
    ...device({ driver: 'virtio-rng-pci', rng: 'rng' }),
    ...(shape.disk ? disk : []),
    ...(hasCard(shape) ? card : []),
  ];
}

/** `pc.ram` is what QEMU calls memory that is no file: with another name a saved state would not find it. */
function memoryArguments({ shape: { memoryMb }, memory }: GuestPlan): string[] {
  const size = ['-m', String(memoryMb)];
  if (!memory) return size;
  return [
    ...size,
    '-object',
    json({
      'qom-type': 'memory-backend-file',
      id: 'pc.ram',
      size: memoryMb * 2 ** 20,
      'mem-path': memory.path,
      share: memory.isOwn,
    }),
    '-machine',
    'memory-backend=pc.ram',
  ];
}

/** The guest's memory, and for QEMU itself more than it ever takes: a break-out cannot eat the host. */
export const addressBytes = ({ memoryMb, vcpus }: GuestShape): number => (memoryMb + 4_096 + 256 * vcpus) * 2 ** 20;
/** Threads: one a processor, and the pools of QEMU, far below this. */
export const processCount = ({ vcpus }: GuestShape): number => 256 + vcpus;

const json = (value: object) => JSON.stringify(value);
const device = (properties: object) => ['-device', json(properties)];
const block = (node: object) => ['-blockdev', json(node)];
/** Nobody there is no matter: what the guest says is then lost, and it goes on. */
const socket = (id: 'serial' | 'agent' | 'helper' | 'qmp') =>
  `socket,id=${id},path=${socketDir}/${socketNames[id]},server=on,wait=off`;
