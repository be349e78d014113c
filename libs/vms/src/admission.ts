import { AppError, invalidArguments } from '#libs/platform';

/** What one host gives to VMs, and to one caller. */
export interface VmLimits {
  vmsPerCaller: number;
  vms: number;
  memoryMb: number;
  /** Of all VMs; more than the host has where it is overcommitted. */
  vcpus: number;
  /** Of one VM. */
  vcpusPerVm: number;
  leastFreeDiskBytes: number;
}

/** What is taken of it already. */
export interface VmUse {
  vmsOfCaller: number;
  vms: number;
  /** Of VMs that run or start. */
  memoryMb: number;
  vcpus: number;
  freeDiskBytes: number;
}

export interface VmDemand {
  memoryMb: number;
  vcpus: number;
}

const gib = 2 ** 30;

/** @throws AppError `invalid_arguments` for what no VM of this host can have, however empty it is */
export function checkDemand({ memoryMb, vcpus }: VmDemand, limits: VmLimits): void {
  const violations = [
    ...(memoryMb > limits.memoryMb
      ? [
          {
            path: '/memory_mb',
            code: 'max',
            message: `must not be greater than ${limits.memoryMb}, which is what this host gives to VMs`,
          },
        ]
      : []),
    ...(vcpus > limits.vcpusPerVm
      ? [{ path: '/vcpus', code: 'max', message: `must not be greater than ${limits.vcpusPerVm}` }]
      : []),
  ];
  if (violations.length) throw invalidArguments(violations);
}

/**
 * Whether one more VM may exist.
 * @param furtherHint who has wider limits
 * @throws AppError `vm_quota`, `host_full`
 */
export function admitVm(limits: VmLimits, use: VmUse, furtherHint = ''): void {
  if (use.vmsOfCaller >= limits.vmsPerCaller) {
    throw new AppError({
      kind: 'quota',
      reason: 'vm_quota',
      message: `You have ${use.vmsOfCaller} VMs, and ${limits.vmsPerCaller} is the most.`,
      hint: `Delete one with delete_vm; list_vms shows them.${furtherHint}`,
    });
  }
  if (use.vms >= limits.vms)
    throw hostFull(
      `it holds ${use.vms} VMs, and ${limits.vms} is the most`,
      'Delete a VM that is not needed, or try again later.',
    );
  if (use.freeDiskBytes < limits.leastFreeDiskBytes) {
    throw hostFull(
      `its disk has ${(use.freeDiskBytes / gib).toFixed(1)} GiB free, and VMs start only above ${(limits.leastFreeDiskBytes / gib).toFixed(1)} GiB`,
      'Delete VMs or builds that are not needed, or try again later.',
    );
  }
}

/** Whether one more VM may run. @throws AppError `host_full` */
export function admitRunning({ memoryMb, vcpus }: VmDemand, limits: VmLimits, use: VmUse): void {
  const hint = 'Stop a VM that is not needed, ask for less, or try again later.';
  if (use.memoryMb + memoryMb > limits.memoryMb)
    throw hostFull(
      `${use.memoryMb} of its ${limits.memoryMb} MiB for VMs are taken, and this one needs ${memoryMb}`,
      hint,
    );
  if (use.vcpus + vcpus > limits.vcpus)
    throw hostFull(
      `${use.vcpus} of its ${limits.vcpus} virtual processors are taken, and this one needs ${vcpus}`,
      hint,
    );
}

function hostFull(what: string, hint: string): AppError {
  return new AppError({
    kind: 'unavailable',
    reason: 'host_full',
    message: `The host is full: ${what}.`,
    hint,
    retryAfterSeconds: 60,
  });
}
