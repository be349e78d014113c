import { nearestName } from '#libs/platform';
import type { Catalogue } from '../catalogue/catalogue.js';
import type { RecipeFeatureDto } from '../catalogue/catalogue.dto.js';
import { part, texts, type Draft } from './draft.js';
import type { Findings } from './findings.js';
import type { ResolvedService } from './resolution.js';

interface Wanted {
  id: string;
  path: string;
  /** Why it is there, if the recipe does not name it itself. */
  because?: string;
}

/** Features that the recipe names, those that its other fields need, and all that these require. Reports what was added and what cannot be together. */
export function resolveFeatures(
  draft: Draft,
  services: readonly ResolvedService[],
  catalogue: Catalogue,
  findings: Findings,
): RecipeFeatureDto[] {
  const named = namedFeatures(draft, catalogue, findings);
  const implied = impliedFeatures(draft, services, catalogue);
  const chosen = new Map<string, RecipeFeatureDto>();
  const queue = [...named, ...implied];
  for (let next = queue.shift(); next; next = queue.shift()) {
    const feature = catalogue.findFeature(next.id);
    if (!feature || chosen.has(feature.id)) continue;
    chosen.set(feature.id, feature);
    if (next.because)
      findings.warn(next.path, 'feature_added', `The feature ${feature.id} was added: ${next.because}.`);
    const { path } = next;
    queue.push(...feature.requires.map((id) => ({ id, path, because: `${feature.id} needs it` })));
  }
  const features = [...chosen.values()];
  reportConflicts(features, catalogue, findings);
  return features;
}

function namedFeatures(draft: Draft, catalogue: Catalogue, findings: Findings): Wanted[] {
  const seen = new Map<string, string>();
  return texts(draft, 'features').flatMap(({ value, path }) => {
    const feature = catalogue.findFeature(value);
    if (!feature) {
      findings.error(path, 'unknown_feature', 'There is no such feature.', () =>
        nearestName(value, catalogue.featureNames),
      );
      return [];
    }
    if (feature.unavailable_reason !== undefined) {
      findings.error(
        path,
        'feature_unavailable',
        `The feature ${feature.id} cannot be built yet. ${feature.unavailable_reason}`,
      );
      return [];
    }
    const earlier = seen.get(feature.id);
    // The same word twice is told by the schema; two names of one feature only here.
    if (earlier !== undefined && earlier !== value)
      findings.warn(path, 'duplicate_feature', `${value} and ${earlier} are the same feature.`);
    seen.set(feature.id, value);
    return [{ id: feature.id, path }];
  });
}

function impliedFeatures(draft: Draft, services: readonly ResolvedService[], catalogue: Catalogue): Wanted[] {
  const security = part(draft, 'security');
  const wanted: Wanted[] = services.map(({ name, at }) => ({
    id: catalogue.findService(name)?.feature ?? name,
    path: `/services/${at}`,
    because: `the service ${name} needs it`,
  }));
  if (Object.keys(part(part(draft, 'networking'), 'firewall')).length)
    wanted.push({ id: 'firewall', path: '/networking/firewall', because: 'networking.firewall needs it' });
  if (security.audit_logging === true)
    wanted.push({ id: 'auditd', path: '/security/audit_logging', because: 'security.audit_logging needs it' });
  if (security.automatic_updates === true)
    wanted.push({
      id: 'unattended-upgrades',
      path: '/security/automatic_updates',
      because: 'security.automatic_updates needs it',
    });
  if (security.hardening_level === 'strict') {
    wanted.push(
      ...['security-hardening', 'auditd'].map((id) => ({
        id,
        path: '/security/hardening_level',
        because: 'hardening_level strict (CIS level 2) needs it',
      })),
    );
  }
  return wanted;
}

function reportConflicts(features: RecipeFeatureDto[], catalogue: Catalogue, findings: Findings): void {
  const told = new Set<string>();
  for (const { id, conflicts } of features) {
    for (const name of conflicts) {
      const other = catalogue.findFeature(name)?.id;
      if (!other || !features.some((feature) => feature.id === other)) continue;
      const pair = [id, other].sort().join(' and ');
      if (!told.has(pair))
        findings.error('/features', 'feature_conflict', `The features ${pair} cannot be in one image; leave one out.`);
      told.add(pair);
    }
  }
}
