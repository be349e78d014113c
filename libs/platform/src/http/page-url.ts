import type { Settings } from '../config/settings.js';

/** A link to a page of the web console. What it carries is in the fragment: a browser sends that to nobody, and no log of a proxy holds it. */
export function pageUrl(
  { publicUrl }: Pick<Settings, 'publicUrl'>,
  path: `account` | `console/${string}`,
  carried: Record<string, string>,
): string {
  return `${publicUrl}/${path}#${new URLSearchParams(carried).toString()}`;
}
