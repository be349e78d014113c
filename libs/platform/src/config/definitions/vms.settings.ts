import { define } from '../setting-definition.js';
import { integer, optionalInteger } from '../setting-parsers.js';

/** Read by libs/vms. */
export const vmSettings = {
  vmMaxPerCaller: define({
    name: 'OPENFACTORY_VM_MAX_PER_CALLER',
    meaning: 'VMs of one caller, running or not; further ones are refused.',
    shownDefault: '10',
    parse: integer(1, 10_000, 10),
  }),
  vmMax: define({
    name: 'OPENFACTORY_VM_MAX',
    meaning: 'VMs of one host, running or not.',
    shownDefault: '50',
    parse: integer(1, 10_000, 50),
  }),
  anonymousVms: define({
    name: 'OPENFACTORY_ANONYMOUS_VMS',
    meaning: 'VMs of one anonymous caller, running or not; never more than OPENFACTORY_VM_MAX_PER_CALLER.',
    shownDefault: '10',
    parse: integer(0, 10_000, 10),
  }),
  vmMemoryMb: define({
    name: 'OPENFACTORY_VM_MEMORY_MB',
    meaning: 'MiB of memory that one host gives to VMs that run.',
    shownDefault: 'three quarters of the host’s memory',
    parse: optionalInteger(256, 16_777_216),
  }),
  vmMaxVcpus: define({
    name: 'OPENFACTORY_VM_MAX_VCPUS',
    meaning: 'Virtual processors that one VM may have.',
    shownDefault: 'as many as the host has, at least 2',
    parse: optionalInteger(1, 1_024),
  }),
  vmCpuOvercommit: define({
    name: 'OPENFACTORY_VM_CPU_OVERCOMMIT',
    meaning: 'Virtual processors of all VMs that run, for each processor of the host.',
    shownDefault: '4',
    parse: integer(1, 64, 4),
  }),
  vmDiskGb: define({
    name: 'OPENFACTORY_VM_DISK_GB',
    meaning: 'GiB that the disk of one VM may grow to.',
    shownDefault: '8',
    parse: integer(1, 10_000, 8),
  }),
  vmMinFreeDiskGb: define({
    name: 'OPENFACTORY_VM_MIN_FREE_DISK_GB',
    meaning: 'GiB that must be free in the data directory for a further VM or VM snapshot.',
    shownDefault: '5',
    parse: integer(0, 1_000_000, 5),
  }),
  vmSnapshotsPerCaller: define({
    name: 'OPENFACTORY_VM_SNAPSHOTS_PER_CALLER',
    meaning:
      'VM snapshots (which clones start from) kept for one caller on one host; what was used least recently goes first. 0: every VM boots.',
    shownDefault: '4',
    parse: integer(0, 10_000, 4),
  }),
  vmSnapshotsMaxGb: define({
    name: 'OPENFACTORY_VM_SNAPSHOTS_MAX_GB',
    meaning: 'GiB that all VM snapshots of one host may take.',
    shownDefault: '40',
    parse: integer(1, 1_000_000, 40),
  }),
  vmAnonymousIdleHours: define({
    name: 'OPENFACTORY_VM_ANONYMOUS_IDLE_HOURS',
    meaning: 'Hours without a call after which the VM of an anonymous caller is stopped.',
    shownDefault: '4',
    parse: integer(1, 87_600, 4),
  }),
  vmAnonymousKeepHours: define({
    name: 'OPENFACTORY_VM_ANONYMOUS_KEEP_HOURS',
    meaning: 'Hours after which the stopped VM of an anonymous caller is deleted.',
    shownDefault: '24',
    parse: integer(1, 87_600, 24),
  }),
  consoleUrlMinutes: define({
    name: 'OPENFACTORY_CONSOLE_URL_MINUTES',
    meaning: 'Minutes within which the URL of a VM’s console must be opened; an open console lives on.',
    shownDefault: '10',
    parse: integer(1, 1440, 10),
  }),
  consoleMaxHours: define({
    name: 'OPENFACTORY_CONSOLE_MAX_HOURS',
    meaning: 'Hours after which an open console is closed.',
    shownDefault: '12',
    parse: integer(1, 168, 12),
  }),
} as const;
