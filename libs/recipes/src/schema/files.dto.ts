import { Flag, OneOf, Text, Whole } from './field.decorators.js';
import { absolutePath, anyAccountName, anyText, base64, octalMode, oneLine } from './text-rules.js';

export const fileTypes = ['file', 'directory'] as const;

export class RecipeFile {
  @Text(absolutePath, 'Where it goes in the image.', { required: true }) path: string;
  @OneOf(
    fileTypes,
    'file has content; directory has none, and is made with this mode and owner, also where it is there already.',
    { default: 'file' },
  )
  type: (typeof fileTypes)[number] = 'file';
  @Text(anyText, 'Content of a file as text. Give this or content_base64.', { maxLength: 1_048_576 }) content?: string;
  @Text(base64, 'Content as base64, for what is not text.') content_base64?: string;
  @Text(octalMode, 'Octal mode as a string; 0644 for a file and 0755 for a directory without one.') mode?: string;
  @Text(anyAccountName, 'Owner.', { default: 'root' }) owner: string = 'root';
  @Text(anyAccountName, 'Group.', { default: 'root' }) group: string = 'root';
}

export class RecipeStartupScript {
  @Text(oneLine, 'Name of the script, unique in the recipe.', { required: true, maxLength: 100 }) name: string;
  @Text(anyText, 'The whole script, with its #! line. It runs in the image at boot, never while building.', {
    required: true,
    maxLength: 262_144,
  })
  script: string;
  @Whole(0, 9999, 'Lower numbers run earlier.', { default: 50 }) order: number = 50;
  @OneOf(
    ['network', 'boot'],
    'network: once the machine has an address, or has waited for one in vain (20 s); boot: as soon as the system is up. network without it, where the recipe has a network.',
  )
  after?: 'network' | 'boot';
  @Flag('Only at the first boot.', true) run_once: boolean = true;
  @Whole(1, 86_400, 'Ended after this many seconds.', { default: 300 }) timeout_seconds: number = 300;
}
