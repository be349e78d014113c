import path from 'node:path';
import Sequencer from '@jest/test-sequencer';

/**
 * Files that take minutes, in the order that leaves no worker waiting: where no image is kept, one makes the parts that others take (images/image-parts.ts),
 * and no two begin with the same image. All else fills the gaps, down to the smallest, so that both workers end at once.
 */
export const longest = [
  'builds',
  'services',
  'vms',
  'every-field',
  'recipe-meaning',
  'build-faults',
  'guest-egress',
  'slow-boot',
].map((name) => `test/live/${name}.spec.ts`);
/** What boots, then what starts whole factories and browsers, then the rest. */
const tiers = ['live', 'e2e', 'medium'];

/** @param {string} file relative to the checkout */
export function rankOf(file) {
  const place = longest.indexOf(file);
  if (place !== -1) return place;
  const tier = tiers.findIndex((name) => file.startsWith(`test/${name}/`) || file.endsWith(`.${name}.spec.ts`));
  return longest.length + (tier === -1 ? tiers.length : tier);
}

/** Jest alone would go by the size of files where it has not run before; a spec of six lines that boots a guest then comes last, with a worker idle beside it. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path: file, context }) => rankOf(path.relative(context.config.rootDir, file));
    return super.sort(tests).sort((a, b) => rank(a) - rank(b));
  }
}
