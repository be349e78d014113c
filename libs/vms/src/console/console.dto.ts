import { IsBoolean, IsOptional, IsString, MaxLength } from 'class-validator';
import { Doc, Out } from '#libs/platform';

const text = { type: 'string' } as const;

export class ConsoleUrlInput {
  @IsString() @MaxLength(1_000) @Doc('Name of a VM of yours, as list_vms shows it.') vm_name: string;
  @IsOptional()
  @IsBoolean()
  @Doc('Whoever opens it sees the screen and can change nothing.', { default: false })
  view_only: boolean = false;
}

export class ConsoleUrl {
  @Out('Name of the VM.', text) vm_name: string;
  @Out(
    'A page that shows the screen of this VM, and nothing else, to whoever opens it: share it with nobody else.',
    text,
  )
  url: string;
  @Out('Whether keyboard and mouse are off.', { type: 'boolean' }) view_only: boolean;
  @Out('By then it must be opened; an open console lives on.', { type: 'string', format: 'date-time' })
  expires_at: string;
}
