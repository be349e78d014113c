import { part, texts } from '../draft.js';
import type { Rule } from './rule.js';

/**
 * Fields that this version checks and does not yet build. They are named, so that nobody takes an image for something that it is
 * not; whoever builds a recipe refuses or drops them.
 */
export const notEffectiveYet: Rule = ({ draft, findings }) => {
  const warn = (path: string, what: string) => findings.warn(path, 'not_effective_yet', `${what} is checked, but this version does not build it yet.`);
  if (Array.isArray(draft.extra_repos) && draft.extra_repos.length) warn('/extra_repos', 'extra_repos');
  if (Array.isArray(draft.custom_packages) && draft.custom_packages.length) warn('/custom_packages', 'custom_packages');
  if (Object.hasOwn(draft, 'desktop')) warn('/desktop', 'desktop');
  const security = part(draft, 'security');
  for (const key of ['automatic_updates', 'secure_boot']) if (security[key] === true) warn(`/security/${key}`, `security.${key}`);
  for (const { value, path } of texts(part(draft, 'output'), 'formats', '/output')) if (value !== 'iso') warn(path, `The output format ${value}`);
};
