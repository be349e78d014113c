import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { actionLimits, usualGuestSize } from '#libs/hypervisor';
import { Doc, Out, schemaRef } from '#libs/platform';
import { vmNamePattern, vmNameRule } from './vm-name.js';
import { vmReasons, vmStates, type VmReason, type VmState } from './vm.js';

const listOf = (items: object) => ({ type: 'array', items });
const orNull = (type: string, more: object = {}) => ({ type: [type, 'null'], ...more });
const time = { type: 'string', format: 'date-time' };
const timeOrNull = orNull('string', { format: 'date-time' });
const text = { type: 'string' };
const integer = { type: 'integer' };
const truth = { type: 'boolean' };

const nameDoc = 'Name of a VM of yours, as create_vm and list_vms tell it.';
const actionTypes = [
  'click',
  'double_click',
  'right_click',
  'move',
  'scroll',
  'drag',
  'type',
  'key',
  'key_combo',
  'wait',
  'screenshot',
];
/** For whoever writes actions; what they may hold is checked by checkActions, once the size of the screen is known. */
const actionSchema = {
  type: 'object',
  properties: {
    type: { type: 'string', enum: actionTypes, description: 'What to do.' },
    x: { type: 'number', description: 'Pixels from the left: click, double_click, right_click, move, scroll, drag.' },
    y: { type: 'number', description: 'Pixels from the top.' },
    button: { type: 'integer', enum: [0, 1, 2], description: 'click: 0 left (default), 1 middle, 2 right.' },
    double: { type: 'boolean', description: 'click: twice.' },
    direction: { type: 'string', enum: ['up', 'down'], description: 'scroll.' },
    amount: { type: 'integer', description: 'scroll: notches of the wheel.' },
    end_x: { type: 'number', description: 'drag: where to.' },
    end_y: { type: 'number', description: 'drag: where to.' },
    text: { type: 'string', description: 'type: the text; newline is Return.' },
    key: { type: 'string', description: 'key: such as Return, Tab, ctrl+c, alt+F4.' },
    keys: { type: 'array', items: { type: 'string' }, description: 'key_combo: such as ["ctrl", "shift", "t"].' },
    duration: { type: 'number', description: 'wait: seconds, at most 30.' },
  },
  required: ['type'],
};

export class ListVmsInput {
  @IsOptional() @IsString() @MaxLength(100) @Doc('Only VMs of this build of yours.') build_id?: string;
}

export class CreateVmInput {
  @IsString()
  @MaxLength(100)
  @Doc('Id of a completed build of yours, as create_build and list_builds tell it.')
  build_id: string;
  @IsOptional()
  @Matches(vmNamePattern, { message: vmNameRule })
  @Doc(
    'Name for the other VM tools, also its host name: lower-case letters, digits and hyphens. Made up if not given; those that start with of- are the factory’s.',
    { maxLength: 63 },
  )
  name?: string;
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(256)
  @Max(16_777_216)
  @Doc('Memory in MiB; a desktop wants 2048.', { default: usualGuestSize.memoryMb })
  memory_mb: number = usualGuestSize.memoryMb;
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_024)
  @Doc('Virtual processors.', { default: usualGuestSize.vcpus })
  vcpus: number = usualGuestSize.vcpus;
  @IsOptional()
  @IsIn(['none', 'egress'])
  @Doc('none: no network. egress: the internet, but neither the host, its networks nor other VMs.', { default: 'none' })
  network: 'none' | 'egress' = 'none';
  @IsOptional()
  @IsString()
  @MaxLength(255)
  @Doc('The same key with the same input returns the first VM instead of making a second.')
  idempotency_key?: string;
}

export class VmNameInput {
  @IsString() @MaxLength(1_000) @Doc(nameDoc) vm_name: string;
}

export class StopVmInput {
  @IsString() @MaxLength(1_000) @Doc(nameDoc) vm_name: string;
  @IsOptional()
  @IsBoolean()
  @Doc('false: presses the power button and lets it shut down. true: ends it at once, like pulling the plug.', {
    default: false,
  })
  force: boolean = false;
}

export class InteractVmInput {
  @IsString() @MaxLength(1_000) @Doc(nameDoc) vm_name: string;
  @IsArray()
  @IsObject({ each: true })
  @Doc('Actions, performed one after the other: an array or its JSON text, at most 100.', {
    items: actionSchema,
    maxItems: actionLimits.actions,
  })
  actions: Record<string, unknown>[];
  @IsOptional() @IsBoolean() @Doc('Ends with a screenshot.', { default: true }) screenshot_after: boolean = true;
}

export class CreateDiskSnapshotInput {
  @Matches(vmNamePattern, { message: vmNameRule })
  @Doc('Name of the snapshot: lower-case letters, digits and hyphens.', { maxLength: 63 })
  name: string;
}

export class VmFault {
  @Out('Stable word for what went wrong.', text) reason: string;
  @Out('What went wrong.', text) message: string;
  @Out('What to do about it.', orNull('string')) hint: string | null;
}

export class VmDetails {
  @Out('Name for the other VM tools.', text) vm_name: string;
  @Out('Id, which never changes.', text) vm_id: string;
  @Out('The build whose image it runs.', text) build_id: string;
  @Out(
    'creating (its system boots), restoring (made from a snapshot), running, stopping, stopped, failed, or lost (its host is not heard of).',
    { type: 'string', enum: [...vmStates] },
  )
  state: VmState;
  @Out('Why it is in this state, where that says more.', { type: ['string', 'null'], enum: [...vmReasons, null] })
  reason: VmReason | null;
  @Out('Why it failed, or what does not work in one that runs.', { anyOf: [schemaRef('VmFault'), { type: 'null' }] })
  error: VmFault | null;
  @Out('Memory in MiB.', integer) memory_mb: number;
  @Out('Virtual processors.', integer) vcpus: number;
  @Out('none or egress.', { type: 'string', enum: ['none', 'egress'] }) network: 'none' | 'egress';
  @Out(
    'Whether its last start was from a snapshot of a booted system; false: it booted; null: it has not started yet.',
    orNull('boolean'),
  )
  restored_from_snapshot: boolean | null;
  @Out('Seconds until it runs, from what earlier starts took; null where it is not starting.', orNull('integer'))
  expected_seconds: number | null;
  @Out('When it was asked for.', time) created_at: string;
  @Out('When it last became running.', timeOrNull) started_at: string | null;
  @Out('When it was last used by a call.', time) last_used_at: string;
  @Out('When it is stopped, or a stopped one deleted, unless it is used before; null: never.', timeOrNull) expires_at:
    string | null;
  @Out('What its owner should know.', orNull('string')) notice: string | null;
  @Out('What to do next.', text) next_step: string;
}

export class VmList {
  @Out('VMs, the newest first.', listOf(schemaRef('VmDetails'))) vms: VmDetails[];
  @Out('How many there are.', integer) total: number;
}

export class DeletedVm {
  @Out('Name of the VM that is gone.', text) vm_name: string;
  @Out('Always true.', truth) deleted: boolean;
}

export class VmScreenshot {
  @Out('Name of the VM.', text) vm_name: string;
  @Out('Width of its screen in pixels.', integer) width: number;
  @Out('Height of its screen in pixels.', integer) height: number;
}

export class VmScreenshotSize {
  @Out('Width in pixels.', integer) width: number;
  @Out('Height in pixels.', integer) height: number;
}

export class VmActionFailure {
  @Out('Which action failed, from 0.', integer) index: number;
  @Out('Its type.', text) action: string;
  @Out('Stable word for what went wrong.', text) reason: string;
  @Out('What went wrong.', text) message: string;
}

export class VmInteraction {
  @Out('Name of the VM.', text) vm_name: string;
  @Out('How many actions were performed.', integer) performed: number;
  @Out('How many were asked for.', integer) total: number;
  @Out('The action that failed, after which none was performed; null: all were.', {
    anyOf: [schemaRef('VmActionFailure'), { type: 'null' }],
  })
  failure: VmActionFailure | null;
  @Out(
    'By which layout characters were typed with keys, in words: that which the guest says its screen has, or the US one where it did not say; null: none were.',
    orNull('string'),
  )
  layout: string | null;
  @Out('Sizes of the pictures, in the order of the images of this answer.', listOf(schemaRef('VmScreenshotSize')))
  pictures: VmScreenshotSize[];
}

/** What REST answers: over MCP the pictures are content of their own. */
export class VmInteractionAnswer extends VmInteraction {
  @Out(
    'The pictures as PNG in base64, in the order of pictures.',
    listOf({ type: 'string', contentEncoding: 'base64', contentMediaType: 'image/png' }),
  )
  images: string[];
}

export class VmDiskSnapshot {
  @Out('Name.', text) name: string;
  @Out('When it was made.', time) created_at: string;
}

export class VmDiskSnapshotList {
  @Out('Snapshots of the disk, the oldest first.', listOf(schemaRef('VmDiskSnapshot'))) snapshots: VmDiskSnapshot[];
}
