import type { Settings } from '#libs/platform';

/** `warn`: the factory runs, but something is worse than it could be, or will be needed later. `fail`: it does not run today. */
export type Verdict = 'ok' | 'warn' | 'fail';

export interface Check {
  name: string;
  verdict: Verdict;
  /** What is there, in words. */
  found: string;
  /** What to do about it. */
  remedy?: string;
}

export type HostProbe = () => Promise<Check[]>;
export type FactoryProbe = (settings: Settings) => Promise<Check[]>;

export const ok = (name: string, found: string): Check => ({ name, verdict: 'ok', found });
export const warn = (name: string, found: string, remedy: string): Check => ({ name, verdict: 'warn', found, remedy });
export const fail = (name: string, found: string, remedy: string): Check => ({ name, verdict: 'fail', found, remedy });

export function formatChecks(checks: Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks
    .flatMap(({ name, verdict, found, remedy }) => [
      `${verdict.padEnd(5)} ${name.padEnd(width)}  ${found}`,
      ...(remedy ? [`${' '.repeat(width + 8)}-> ${remedy}`] : []),
    ])
    .join('\n');
}
