import { productRoot } from '#libs/platform';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Account } from '#libs/platform';

interface SetupRules {
  readonly judgeDistribution: (osRelease: string) => {
    level: 'supported' | 'best-effort' | 'unsupported';
    name: string;
    remedy?: string;
  };
  readonly readPackageList: (file: string) => string[];
  readonly missingPackages: (names: string[]) => Promise<string[]>;
  readonly missingAccounts: () => Promise<string[]>;
  readonly accountsWithoutRange: () => { account: string; files: string[] }[];
  readonly tryNamespaces: (account: Account | undefined) => Promise<{ code: number; output: string }>;
}

/** What `npm run setup` sees to and what the doctor checks is one piece of code: the scripts', which run before anything is built. */
export async function setupRules(): Promise<SetupRules> {
  const load = async (name: string) =>
    (await import(pathToFileURL(path.join(productRoot, 'scripts/setup', name)).href)) as object;
  const modules = await Promise.all(['host.mjs', 'packages.mjs', 'accounts.mjs', 'namespaces.mjs'].map(load));
  return Object.assign({}, ...modules) as SetupRules;
}
