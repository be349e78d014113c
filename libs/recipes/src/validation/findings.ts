import { clip, type Violation } from '#libs/platform';

/** Enough for a person or a model to work with; a hostile recipe could have thousands. */
export const mostFindings = 500;

/** What the rules find wrong (errors) or worth knowing (warnings). */
export class Findings {
  readonly errors: Violation[] = [];
  readonly warnings: Violation[] = [];

  error(path: string, code: string, message: string, suggestion?: string): void {
    add(this.errors, path, code, message, suggestion);
  }

  warn(path: string, code: string, message: string, suggestion?: string): void {
    add(this.warnings, path, code, message, suggestion);
  }
}

function add(list: Violation[], path: string, code: string, message: string, suggestion: string | undefined): void {
  if (list.length < mostFindings) list.push({ path, code, message: clip(message, 500), ...(suggestion && { suggestion: clip(suggestion, 200) }) });
}
