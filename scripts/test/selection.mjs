import { tiers } from './jest-report.mjs';

export const staticChecks = {
  lint: ['lint', '--', '--max-warnings', '0'],
  format: ['format:check'],
  types: ['types'],
  deps: ['deps'],
};

/**
 * `npm test -- lint unit` runs those two; without names everything runs. What is no name of a check is an argument for jest.
 * @returns {{ checks: string[], jest: string[] | undefined }}
 */
export function select(args) {
  // A tier's name after an option is that option's value (--selectProjects unit), so names count only where they come first.
  const isName = (arg) => arg in staticChecks || tiers.includes(arg);
  const firstOther = args.findIndex((arg) => !isName(arg));
  const leading = firstOther === -1 ? args : args.slice(0, firstOther);
  const rest = args.slice(leading.length);
  if (leading.length === 0) return { checks: Object.keys(staticChecks), jest: rest };
  const chosenTiers = leading.filter((name) => tiers.includes(name));
  return {
    checks: leading.filter((name) => name in staticChecks),
    jest: chosenTiers.length ? [...rest, '--selectProjects', ...chosenTiers] : undefined,
  };
}
