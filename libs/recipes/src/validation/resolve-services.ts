import { nearestName } from '#libs/platform';
import { isObject } from '../normalise/json-values.js';
import { isServiceId, serviceConfigs } from '../services/service-configs.js';
import { objects, text, type Draft } from './draft.js';
import type { Findings } from './findings.js';
import type { ResolvedService } from './resolution.js';
import { checkSchema } from './schema-check.js';

/** Checks the config of every service by its class. A service whose config is wrong is resolved with what was given. */
export function resolveServices(draft: Draft, findings: Findings): ResolvedService[] {
  const resolved: ResolvedService[] = [];
  const entries = objects(draft, 'services');
  entries.forEach(({ value, path }) => {
    const name = text(value, 'name');
    if (name === undefined) return;
    const at = Number(path.slice('/services/'.length));
    if (!isServiceId(name)) {
      findings.error(
        `${path}/name`,
        'unknown_service',
        `There is no service of this name that can be configured; there are ${Object.keys(serviceConfigs).join(', ')}.`,
        () => nearestName(name, Object.keys(serviceConfigs)),
      );
      return;
    }
    if (resolved.some((other) => other.name === name))
      return findings.error(`${path}/name`, 'duplicate_service', `The service ${name} is configured twice.`);
    const given = value.config ?? {};
    // A config that is no object is told by the schema of the recipe.
    const { instance, violations } = isObject(given)
      ? checkSchema<object>(serviceConfigs[name], given, `${path}/config`)
      : { instance: undefined, violations: [] };
    violations.forEach((violation) =>
      findings.error(
        violation.path,
        violation.code === 'whitelistValidation' ? 'unknown_option' : violation.code,
        violation.message,
        violation.suggestion,
      ),
    );
    resolved.push({ name, config: plain(instance ?? given), at });
  });
  return resolved;
}

function plain(value: unknown): Record<string, unknown> {
  return isObject(value) ? (JSON.parse(JSON.stringify(value)) as Record<string, unknown>) : {};
}
