import { objects, text, type Draft } from '../draft.js';
import { settlePlace, whyLost } from '../places.js';
import type { ResolvedService } from '../resolution.js';
import type { Rule } from './rule.js';

/** What a service is told to read or keep in the image is there only where something stays. */
export const servicePlaces: Rule = ({ findings, names, resolution }) => {
  for (const service of resolution?.services ?? []) {
    for (const { place, path } of placesOf(service)) {
      const settled = settlePlace(place, names.dirLinks);
      const lost = whyLost(settled);
      if (lost !== undefined)
        findings.error(path, 'lost_place', settled === place ? lost : `${place} lies at ${settled}. ${lost}`);
    }
  }
};

function placesOf({ name, config, at }: ResolvedService): { place: string; path: string }[] {
  const path = `/services/${at}/config`;
  const named = (value: Draft, keys: string[], inside: string) =>
    keys
      .flatMap((key) => ({ place: text(value, key) ?? '', path: `${inside}/${key}` }))
      .filter(({ place }) => place.startsWith('/'));
  if (name === 'docker') return named(config, ['data_root'], path);
  if (name === 'nginx')
    return objects(config, 'sites', path).flatMap(({ value, path: site }) =>
      named(value, ['root', 'certificate', 'certificate_key'], site),
    );
  return [];
}
