import { readFileSync } from 'node:fs';
import { SetupProblem } from './problem.mjs';
import { find, lastLines, run } from './programs.mjs';

const debianArchitectures = { x64: 'amd64', arm64: 'arm64' };

/** @returns the names in a package list: one per line, `[amd64]` behind those of one architecture only, `#` begins a comment */
export function readPackageList(file, architecture = debianArchitectures[process.arch]) {
  const entries = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean);
  return entries
    .map((entry) => entry.split(/\s+/))
    .filter(([, only]) => !only || only === `[${architecture}]`)
    .map(([name]) => name);
}

/** @returns those of the packages that dpkg does not call installed */
export async function missingPackages(
  names,
  query = (wanted) => run('dpkg-query', ['-W', '-f', '${Package}\\t${db:Status-Status}\\n', ...wanted]),
) {
  const { output } = await query(names);
  const installed = new Set(
    output
      .split('\n')
      .filter((line) => line.endsWith('\tinstalled'))
      .map((line) => line.split('\t')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** @returns the words before a command that makes root run it. @throws SetupProblem naming the command where nothing does */
export async function asRoot(command, host = {}) {
  const {
    uid = process.getuid(),
    terminal = process.stdin.isTTY,
    sudo = find('sudo'),
    test = () => run('sudo', ['-n', 'true']),
  } = host;
  if (uid === 0) return [];
  if (sudo && (await test()).code === 0) return ['sudo', '-n'];
  if (sudo && terminal) return ['sudo'];
  throw new SetupProblem(
    `Some Debian packages are missing and this account may not install them: ask an administrator to run "${command}", then start again.`,
  );
}

const wanted = ({ packageList, testPackageList }) =>
  [packageList, ...(testPackageList ? [testPackageList] : [])].flatMap((file) => readPackageList(file));

export const packagesStep = {
  async pending(context) {
    const missing = await missingPackages(wanted(context));
    return missing.length ? `Installing Debian packages: ${missing.join(', ')}` : undefined;
  },
  async perform(context) {
    const missing = await missingPackages(wanted(context));
    const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...missing];
    const prefix = await asRoot(install.join(' '));
    const apt = (args) => {
      const [program, ...rest] = [
        ...prefix,
        'env',
        'DEBIAN_FRONTEND=noninteractive',
        'apt-get',
        '-o',
        'DPkg::Lock::Timeout=300',
        ...args,
      ];
      return run(program, rest, { input: true });
    };
    // A stale or half-broken index is no reason to stop while the packages can still be had: only the installation decides.
    const update = await apt(['update']);
    const { code, output } = await apt(install.slice(1));
    if (code !== 0)
      throw new SetupProblem(aptProblem(update.code === 0 ? output : `${update.output}\n${output}`, install.join(' ')));
  },
};

export function aptProblem(output, command) {
  const words = lastLines(output);
  if (/No space left/.test(output)) return `The disk is full: free some space and run "${command}" again (${words}).`;
  if (/resolve|Could not connect|Network is unreachable|Connection (failed|timed out|refused)/.test(output))
    return `apt-get cannot reach the package mirror: check the network, the proxy and /etc/apt/sources.list, then run "${command}" (${words}).`;
  return `apt-get could not install the Debian packages: run "${command}" and mend what it complains about (${words}).`;
}
