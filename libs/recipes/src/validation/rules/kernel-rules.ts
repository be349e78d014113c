import { part, texts } from '../draft.js';
import type { Rule } from './rule.js';

/** COMMAND_LINE_SIZE of Linux on x86 and arm64, without the NUL at its end. */
export const kernelLineBytes = 2_047;
/** What GRUB and the factory put onto the line of every image; a test of the image stage holds it. */
export const ownKernelLineBytes = 320;

export const kernelRules: Rule = ({ draft, findings }) => {
  const args = texts(part(draft, 'system'), 'kernel_args', '/system');
  for (const { value, path } of args) {
    // GRUB puts a backslash before these on the kernel's line, and the kernel does not take it away.
    if (/['"\\]/.test(value))
      findings.error(
        path,
        'kernel_argument',
        'A kernel argument cannot hold quotes or backslashes: the boot loader would hand them on changed.',
      );
  }
  const room = kernelLineBytes - ownKernelLineBytes;
  const bytes = args.reduce((total, { value }) => total + value.length + 1, 0);
  if (bytes > room)
    findings.error(
      '/system/kernel_args',
      'kernel_line_too_long',
      `The kernel arguments take ${bytes} bytes together; the kernel reads ${kernelLineBytes} of its line, of which ${room} are left for a recipe.`,
    );
};
