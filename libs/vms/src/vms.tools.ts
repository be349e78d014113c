import { Injectable } from '@nestjs/common';
import { Tool, ToolReply, type CallContext } from '#libs/mcp';
import type { Screenshot } from '#libs/hypervisor';
import type { Caller } from '#libs/platform';
import { VmQueryService } from './vm-query.service.js';
import { VmScreenService } from './vm-screen.service.js';
import { VmService } from './vm.service.js';
import {
  CreateVmInput,
  DeletedVm,
  InteractVmInput,
  ListVmsInput,
  StopVmInput,
  VmDetails,
  VmInteraction,
  VmList,
  VmNameInput,
  VmScreenshot,
} from './vms.dto.js';

const toolset = 'vms';
const reading = { toolset, readOnly: true, destructive: false, idempotent: true, openWorld: false } as const;

@Injectable()
export class VmsTools {
  constructor(
    private readonly vms: VmService,
    private readonly query: VmQueryService,
    private readonly screens: VmScreenService,
  ) {}

  @Tool({
    ...reading,
    name: 'list_vms',
    title: 'List VMs',
    description:
      'Lists your virtual machines, the newest first, optionally of one build: name, state, size, why one failed, seconds until one that starts is running, when one that nobody uses is stopped or deleted, and what to do next with each. Use it to find the vm_name for the other VM tools, and to wait for a VM that starts or stops.',
    input: ListVmsInput,
    output: VmList,
  })
  async listVms(caller: Caller, input: ListVmsInput): Promise<VmList> {
    return await this.query.list(caller, input);
  }

  @Tool({
    toolset,
    readOnly: false,
    destructive: false,
    idempotent: false,
    openWorld: false,
    name: 'create_vm',
    title: 'Create a VM',
    description:
      'Creates a virtual machine from a completed build and starts it. Where a VM of this image and size was started before, it runs in about a second; else a system boots first, and the answer says in how many seconds to expect it. Returns within seconds in any case: the name, the state and what to do next. When it is running, call screenshot_vm to see it and interact_vm to use it; what it writes to its disk stays until delete_vm.',
    input: CreateVmInput,
    output: VmDetails,
  })
  async createVm(caller: Caller, input: CreateVmInput): Promise<VmDetails> {
    return await this.query.get(caller, await this.vms.create(caller, input));
  }

  @Tool({
    toolset,
    readOnly: false,
    destructive: false,
    idempotent: true,
    openWorld: false,
    name: 'start_vm',
    title: 'Start a VM',
    description:
      'Starts a stopped or failed VM of yours again. It is a cold boot from its own disk: files are as they were, programs that ran do not run any more, and expected_seconds tells how long it takes. Returns its state at once; ask list_vms until it is running, then call screenshot_vm. Starting a VM that runs changes nothing.',
    input: VmNameInput,
    output: VmDetails,
  })
  async startVm(caller: Caller, { vm_name }: VmNameInput): Promise<VmDetails> {
    await this.vms.start(caller, vm_name);
    return await this.query.get(caller, vm_name);
  }

  @Tool({
    toolset,
    readOnly: false,
    destructive: true,
    idempotent: true,
    openWorld: false,
    name: 'stop_vm',
    title: 'Stop a VM',
    description:
      'Stops a running VM of yours and keeps its disk. It presses the power button and lets the system shut down; one that has not obeyed after a minute runs on and says so. With force it ends at once, like pulling the plug, and what was not written to its disk is lost. Returns the state: stopping or stopped. Afterwards start_vm boots it again, delete_vm deletes it.',
    input: StopVmInput,
    output: VmDetails,
  })
  async stopVm(caller: Caller, { vm_name, force }: StopVmInput): Promise<VmDetails> {
    await this.vms.stop(caller, vm_name, force);
    return await this.query.get(caller, vm_name);
  }

  @Tool({
    toolset,
    readOnly: false,
    destructive: true,
    idempotent: false,
    openWorld: false,
    name: 'delete_vm',
    title: 'Delete a VM',
    description:
      'Deletes a VM of yours in whatever state it is, with its disk and the snapshots of it. What runs is ended at once. There is no way back; use stop_vm where its disk is still needed. Returns the name of the VM that is gone. The build stays, and create_vm makes new VMs of it.',
    input: VmNameInput,
    output: DeletedVm,
  })
  async deleteVm(caller: Caller, { vm_name }: VmNameInput): Promise<DeletedVm> {
    await this.vms.delete(caller, vm_name);
    return { vm_name, deleted: true };
  }

  @Tool({
    ...reading,
    name: 'screenshot_vm',
    title: 'Take a screenshot of a VM',
    description:
      'Takes a picture of the screen of a running VM of yours: a PNG in the screen’s own size, never scaled, so that its pixels are the coordinates for interact_vm. Use it to see what the VM shows before you act; interact_vm takes a picture by itself after its actions. Returns the image, with its width and height.',
    input: VmNameInput,
    output: VmScreenshot,
  })
  async screenshotVm(caller: Caller, { vm_name }: VmNameInput): Promise<ToolReply> {
    const picture = await this.screens.screenshot(caller, vm_name);
    const { width, height } = picture;
    return withScreenshots({ vm_name, width, height }, [picture]);
  }

  @Tool({
    toolset,
    readOnly: false,
    destructive: true,
    idempotent: false,
    openWorld: false,
    name: 'interact_vm',
    title: 'Interact with a VM',
    description:
      'Uses mouse and keyboard of a running VM of yours: actions are performed one after the other, such as [{"type": "click", "x": 500, "y": 300}, {"type": "type", "text": "hello"}, {"type": "key", "key": "Return"}, {"type": "wait", "duration": 1}]. Coordinates are pixels of screenshot_vm. All actions are checked before the first is performed; a mistake in one refuses all. At most 100 actions, 60 seconds of waiting and 3 pictures in a call. Returns how many were performed, which one failed and why, and a screenshot of the end unless screenshot_after is false. Look at it, then act again.',
    input: InteractVmInput,
    output: VmInteraction,
  })
  async interactVm(caller: Caller, input: InteractVmInput, { signal }: CallContext): Promise<ToolReply> {
    const { interaction, pictures } = await this.screens.interact(caller, input, signal);
    return withScreenshots(interaction, pictures);
  }
}

/** The structured answer as text too, for clients that show only content (MCP 2025-11-25, Tools, Structured Content), then the pictures. */
function withScreenshots(structured: object, pictures: Screenshot[]): ToolReply {
  return new ToolReply(
    [
      { type: 'text', text: JSON.stringify(structured) },
      ...pictures.map(({ png }) => ({ type: 'image' as const, data: png.toString('base64'), mimeType: 'image/png' })),
    ],
    structured,
  );
}
