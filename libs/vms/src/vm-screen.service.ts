import { Injectable } from '@nestjs/common';
import { actionLimits, checkActions, performActions, takeScreenshot, type Screenshot } from '#libs/hypervisor';
import { AppError, type Caller } from '#libs/platform';
import { VmAccess } from './vm-access.service.js';
import type { InteractVmInput, VmInteraction } from './vms.dto.js';

/** What happens at the screen of a running VM. All of it throws `vm_not_found`, `vm_not_running`, `vm_host_elsewhere`, and `guest_ended` where the VM ends meanwhile. */
@Injectable()
export class VmScreenService {
  constructor(private readonly access: VmAccess) {}

  /** @throws AppError `screenshot_failed` */
  async screenshot(caller: Caller, name: string): Promise<Screenshot> {
    const { guest } = await this.access.reach(caller, name);
    return await takeScreenshot(guest);
  }

  /**
   * All actions are checked before the first is performed; calls at one VM take turns.
   * @param signal of the caller: when they go away, nothing more is performed
   * @throws AppError `invalid_actions`, `vm_busy`
   */
  async interact(
    caller: Caller,
    { vm_name, actions: given, screenshot_after }: InteractVmInput,
    signal: AbortSignal,
  ): Promise<{ interaction: VmInteraction; pictures: Screenshot[] }> {
    const { vm, guest, machine } = await this.access.reach(caller, vm_name);
    return await machine.inTurn(signal, async (both) => {
      const { width, height } = await takeScreenshot(guest);
      const actions = checkActions(given, { width, height });
      const { performed, pictures, failure, layout = null } = await performActions(guest, actions, { signal: both });
      if (machine.gone.signal.aborted || failure?.reason === 'guest_ended')
        throw endedMeanwhile(performed, given.length);
      const wantsLast =
        screenshot_after &&
        actions.at(-1)?.type !== 'screenshot' &&
        pictures.length < actionLimits.screenshots &&
        !both.aborted;
      if (wantsLast) pictures.push(await takeScreenshot(guest));
      return {
        interaction: {
          vm_name: vm.name,
          performed,
          total: given.length,
          failure: failure ?? null,
          layout,
          pictures: pictures.map((picture) => ({ width: picture.width, height: picture.height })),
        },
        pictures,
      };
    });
  }
}

function endedMeanwhile(performed: number, total: number): AppError {
  return new AppError({
    kind: 'unavailable',
    reason: 'guest_ended',
    message: `The VM ended after ${performed} of ${total} actions.`,
    hint: 'list_vms tells why; start_vm starts it again.',
  });
}
