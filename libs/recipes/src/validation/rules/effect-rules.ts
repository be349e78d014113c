import { objects, part, texts, type Draft } from '../draft.js';
import type { Rule } from './rule.js';

interface NotBuilt {
  what: string;
  why: string;
  /** JSON Pointers of what the recipe says of it. */
  given: (draft: Draft) => string[];
}

const paths = (placed: { path: string }[]) => placed.map(({ path }) => path);

/**
 * What the schema knows and this version does not build: an error, since a valid recipe can be built and no field of one is ignored.
 * Every other field has an effect; plan-fields.spec.ts of libs/builds holds the whole schema against this list.
 */
export const notBuilt: readonly NotBuilt[] = [
  {
    what: 'extra_repos',
    why: 'Packages come from the archive of the base only.',
    given: (draft) => paths(objects(draft, 'extra_repos')),
  },
  {
    what: 'custom_packages',
    why: 'Packages are not built from git.',
    given: (draft) => paths(objects(draft, 'custom_packages')),
  },
  {
    what: 'desktop',
    why: 'A desktop comes with its features (desktop-xfce, firefox, …) as the distribution sets it up.',
    given: (draft) => (Object.hasOwn(draft, 'desktop') ? ['/desktop'] : []),
  },
  {
    what: 'security.secure_boot',
    why: 'The boot chain is not signed.',
    given: (draft) => (part(draft, 'security').secure_boot === true ? ['/security/secure_boot'] : []),
  },
  {
    what: 'The output format',
    why: 'Images are written as iso only.',
    given: (draft) => paths(texts(part(draft, 'output'), 'formats', '/output').filter(({ value }) => value !== 'iso')),
  },
];

export const notEffectiveYet: Rule = ({ draft, findings }) => {
  for (const { what, why, given } of notBuilt)
    for (const path of given(draft))
      findings.error(path, 'not_effective_yet', `${what} cannot be built by this version. ${why} Leave it out.`);
};
