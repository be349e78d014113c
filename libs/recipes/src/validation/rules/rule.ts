import type { BaseNames } from '../../catalogue/base-names.js';
import type { Catalogue } from '../../catalogue/catalogue.js';
import type { Draft } from '../draft.js';
import type { Findings } from '../findings.js';
import type { Resolution } from '../resolution.js';

export interface RuleContext {
  draft: Draft;
  findings: Findings;
  catalogue: Catalogue;
  /** What the base knows; where it is not known, what the newest one does. */
  names: BaseNames;
  /** Undefined where the base is not known. */
  resolution: Resolution | undefined;
}

/** A check across fields. It sees a recipe whose fields may be of the wrong type, and reports only what it is about. */
export type Rule = (context: RuleContext) => void;

/** Reports every value that an earlier entry has already. */
export function reportDuplicates(
  entries: { key: string | number | undefined; path: string }[],
  report: (path: string, key: string | number) => void,
): void {
  const seen = new Set<string | number>();
  for (const { key, path } of entries) {
    if (key === undefined) continue;
    if (seen.has(key)) report(path, key);
    seen.add(key);
  }
}
