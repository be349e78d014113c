import { productRoot } from '#libs/platform';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, ok, warn, type Check } from './check.js';
import { setupRules } from './setup-rules.js';

export async function probeDistribution(): Promise<Check[]> {
  const { judgeDistribution } = await setupRules();
  const { level, name, remedy = '' } = judgeDistribution(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  const verdict = level === 'supported' ? ok : level === 'best-effort' ? warn : fail;
  return [verdict('distribution', name, remedy)];
}

export function probeNode(): Promise<Check[]> {
  const found = `${process.version}, ${process.arch}`;
  const isPinned = Number.parseInt(process.versions.node, 10) === 24;
  return Promise.resolve([
    isPinned
      ? ok('Node.js', found)
      : warn(
          'Node.js',
          found,
          'OpenFactory is tested on Node.js 24: start it with "npm run up", which brings its own.',
        ),
  ]);
}

export async function probePackages(): Promise<Check[]> {
  const { readPackageList, missingPackages } = await setupRules();
  const wanted = readPackageList(path.join(productRoot, 'debian-packages.txt'));
  const missing = await missingPackages(wanted);
  if (missing.length === 0) return [ok('Debian packages', `all ${wanted.length} installed`)];
  return [
    fail(
      'Debian packages',
      `missing: ${missing.join(', ')}`,
      `Run "npm run setup", or as root "apt-get install ${missing.join(' ')}".`,
    ),
  ];
}

export async function probeAccounts(): Promise<Check[]> {
  if (process.getuid?.() !== 0) return [ok('system accounts', 'not needed: the factory does not run as root')];
  const { missingAccounts, accountsWithoutRange } = await setupRules();
  const missing = await missingAccounts();
  const accounts = missing.length
    ? fail('system accounts', `missing: ${missing.join(', ')}`, 'Run "npm run setup" as root.')
    : ok('system accounts', 'openfactory, openfactory-build and openfactory-vm exist');
  const without = accountsWithoutRange();
  const ranges = without.length
    ? warn(
        'subordinate ids',
        without.map(({ account, files }) => `${account} has no 65536 ids in ${files.join(' and ')}`).join('; '),
        'Run "npm run setup" as root; builds and VMs need them.',
      )
    : ok('subordinate ids', 'openfactory-build and openfactory-vm have 65536 uids and gids each');
  return [accounts, ranges];
}
