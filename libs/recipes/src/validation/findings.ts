import { clip, type Violation } from '#libs/platform';

/** Enough for a person or a model to work with; a hostile recipe could have thousands. */
export const mostFindings = 500;

/** A name is compared with all that are known for so many findings; more are told without what was probably meant. */
export const mostSuggestions = 100;

/** What was probably meant; a function is asked only where its finding is told. */
export type Suggestion = string | (() => string | undefined) | undefined;

/** What the rules find wrong (errors) or worth knowing (warnings). */
export class Findings {
  readonly errors: Violation[] = [];
  readonly warnings: Violation[] = [];
  private searched = 0;

  error(path: string, code: string, message: string, suggestion?: Suggestion): void {
    this.add(this.errors, { path, code, message }, suggestion);
  }

  warn(path: string, code: string, message: string, suggestion?: Suggestion): void {
    this.add(this.warnings, { path, code, message }, suggestion);
  }

  private add(list: Violation[], { path, code, message }: Violation, suggestion: Suggestion): void {
    if (list.length >= mostFindings) return;
    const meant = typeof suggestion === 'function' ? this.search(suggestion) : suggestion;
    list.push({ path, code, message: clip(message, 500), ...(meant && { suggestion: clip(meant, 200) }) });
  }

  private search(suggestion: () => string | undefined): string | undefined {
    return ++this.searched > mostSuggestions ? undefined : suggestion();
  }
}
