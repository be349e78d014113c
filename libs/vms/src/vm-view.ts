import { isLive, type DiskSnapshot, type Vm } from './vm.js';
import type { VmDetails, VmDiskSnapshot } from './vms.dto.js';

/** How VMs look from outside. */
export function detailsOf(vm: Vm, expectedSeconds: number | null): VmDetails {
  return {
    vm_name: vm.name,
    vm_id: vm.id,
    build_id: vm.buildId,
    state: vm.state,
    reason: vm.reason,
    error: vm.error,
    memory_mb: vm.memoryMb,
    vcpus: vm.vcpus,
    network: vm.network,
    restored_from_snapshot: vm.boot && vm.boot === 'clone',
    expected_seconds: expectedSeconds,
    created_at: vm.createdAt.toISOString(),
    started_at: vm.startedAt?.toISOString() ?? null,
    last_used_at: vm.lastUsedAt.toISOString(),
    expires_at: vm.expiresAt?.toISOString() ?? null,
    notice: noticeOf(vm),
    next_step: nextStepOf(vm, expectedSeconds),
  };
}

export const diskSnapshotOf = ({ name, createdAt }: DiskSnapshot): VmDiskSnapshot => ({
  name,
  created_at: createdAt.toISOString(),
});

function noticeOf({ state, expiresAt }: Vm): string | null {
  if (!expiresAt) return null;
  const when = expiresAt.toISOString();
  return isLive(state)
    ? `Anonymous callers’ VMs live while they are used: this one is stopped at ${when} unless it is used before.`
    : `Anonymous callers’ VMs are not kept for ever: this one is deleted at ${when} unless it is started before.`;
}

export function nextStepOf({ state, reason, startedAt, name }: Vm, expectedSeconds: number | null): string {
  const seconds = expectedSeconds === null ? 'some' : String(expectedSeconds);
  switch (state) {
    case 'creating':
      return startedAt
        ? `It boots from its own disk, which takes about ${seconds} seconds; ask list_vms until it is running.`
        : `There is no snapshot of this image and size yet, so a system boots first, which takes about ${seconds} seconds; later VMs of this kind start in a moment. Ask list_vms until it is running.`;
    case 'restoring':
      return `Ask list_vms in about ${seconds} seconds; it is running then.`;
    case 'running':
      if (reason === 'port_closed')
        return 'A port of it was closed, as its error says; screenshot_vm and interact_vm work on, and stop_vm and start_vm open the port again.';
      return reason === 'power_ignored'
        ? `It did not obey its power button within a minute and runs on; call stop_vm with force to end ${name} at once.`
        : 'Call screenshot_vm to see its screen, and interact_vm to use it.';
    case 'stopping':
      return 'It shuts down; ask list_vms in some seconds, or call stop_vm with force to end it at once.';
    case 'stopped':
      return 'Call start_vm to boot it again from its disk, or delete_vm to delete it.';
    case 'failed':
      return 'Call start_vm to try again, or delete_vm to delete it.';
    case 'lost':
      return 'Its host is not heard of; wait until it is back, or create another VM with create_vm.';
  }
}
