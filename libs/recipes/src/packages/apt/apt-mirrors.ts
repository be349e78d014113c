import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { AppError, askProgram, runProgram, unprivilegedAccount, type Account } from '#libs/platform';
import type { AvailableBase } from '../../catalogue/catalogue.js';
import type { AptSource } from './apt-root.js';
import { carriedConfiguration } from './carried-configuration.js';

/** An entry of the host's apt sources, as its Release file names it. */
export interface HostTarget {
  origin: string;
  label: string;
  uri: string;
}

export interface MirrorChoice {
  main: string;
  security: string;
}

const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)';
const origins = {
  debian: { origin: 'Debian', securityLabel: 'Debian-Security' },
  ubuntu: { origin: 'Ubuntu', securityLabel: 'Ubuntu' },
} as const;
type Distribution = keyof typeof origins;

/**
 * Finds the mirrors of a base: the configured one, else those of the host's own apt sources whose Release says that they are the
 * distribution's, else the default of the distribution's own tools.
 * @throws AppError `mirror_not_found`
 */
export async function findMirrors(distribution: Distribution, configured: string | undefined): Promise<MirrorChoice> {
  if (configured) return siblings(configured);
  const fromHost = chooseMirrors(distribution, await hostTargets());
  if (fromHost) return fromHost;
  const fallback = await defaultMirror(distribution);
  if (fallback) return siblings(fallback);
  throw new AppError({
    kind: 'unavailable',
    reason: 'mirror_not_found',
    message: `No mirror of ${origins[distribution].origin} was found: this host's apt sources name none, and no tool of the distribution is installed that knows one.`,
    hint: `Set OPENFACTORY_${distribution.toUpperCase()}_MIRROR to the address of a mirror.`,
  });
}

const hostPlaces = ['/etc/apt/sources.list', '/etc/apt/sources.list.d', '/etc/apt/apt.conf.d', '/var/lib/apt/lists'];
const remembered = new Map<string, { hostState: string; mirrors: MirrorChoice }>();

/** As findMirrors, which makes apt read all lists of the host (a second and more); asked anew once the host's sources or lists have changed. */
export async function rememberMirrors(
  distribution: Distribution,
  configured: string | undefined,
): Promise<MirrorChoice> {
  if (configured) return await findMirrors(distribution, configured);
  const hostState = (
    await Promise.all(hostPlaces.map(async (place) => (await stat(place).catch(() => undefined))?.ctimeMs))
  ).join(' ');
  const before = remembered.get(distribution);
  if (before?.hostState === hostState) return before.mirrors;
  const mirrors = await findMirrors(distribution, configured);
  remembered.set(distribution, { hostState, mirrors });
  return mirrors;
}

/** The three suites of a base on its mirrors. */
export function sourcesOf({ archive }: AvailableBase, { main, security }: MirrorChoice): AptSource[] {
  const { components } = archive;
  return [
    { uri: main, suite: archive.suite, components },
    { uri: main, suite: archive.updates_suite, components },
    { uri: security, suite: archive.security_suite, components },
  ];
}

export function chooseMirrors(distribution: Distribution, targets: readonly HostTarget[]): MirrorChoice | undefined {
  const { origin, securityLabel } = origins[distribution];
  const own = targets.filter((target) => target.origin === origin);
  const main = own.find(({ label }) => label === origin)?.uri;
  if (!main) return undefined;
  const security = own.find(({ label }) => label === securityLabel)?.uri;
  return security ? { main, security } : siblings(main);
}

/** Debian serves security updates beside the archive, under the same name with "-security"; Ubuntu in the archive itself. */
function siblings(main: string): MirrorChoice {
  const bare = main.replace(/\/+$/, '');
  return { main: bare, security: bare.endsWith('/ubuntu') ? bare : `${bare}-security` };
}

/** Where the host's lists were cleaned away (as containers do), its sources are fetched once into a root that is thrown away. */
async function hostTargets(): Promise<HostTarget[]> {
  const account = await unprivilegedAccount();
  const targets = await indexTargets(account, {});
  return targets.some(({ origin }) => origin) ? targets : await fetchedTargets(account);
}

async function indexTargets(account: Account | undefined, env: Record<string, string>): Promise<HostTarget[]> {
  const { stdout } = await askProgram('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    deadlineMs: 30_000,
    env,
    ...(account && { account }),
  });
  return readTargets(stdout);
}

export function readTargets(text: string): HostTarget[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [origin = '', label = '', ...uri] = line.split('|');
      return { origin, label, uri: uri.join('|').replace(/\/+$/, '') };
    });
}

async function fetchedTargets(account: Account | undefined): Promise<HostTarget[]> {
  const run = async (program: string, args: string[], env = {}) =>
    await runProgram(program, args, { deadlineMs: 120_000, okCodes: [0, 100], env, ...(account && { account }) });
  const dir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-apt-'));
  try {
    const { stdout } = await run('mktemp', ['-d', path.join(os.tmpdir(), 'openfactory-apt-XXXXXXXX')]);
    const state = stdout.trim();
    const conf = path.join(dir, 'apt.conf');
    await chmod(dir, 0o755);
    // Without the host's apt.conf.d no hook of it runs; what its mirrors need is carried over.
    const own = [
      `Dir::State "${state}/state/";`,
      'Dir::State::status "/dev/null";',
      `Dir::Cache "${state}/cache/";`,
      'Dir::Etc::parts "/dev/null";',
    ];
    await writeFile(conf, `${[...own, ...(await carriedConfiguration(account))].join('\n')}\n`);
    try {
      await run('mkdir', ['-p', `${state}/state/lists/partial`, `${state}/cache/archives/partial`]);
      await run('apt-get', ['update'], { APT_CONFIG: conf });
      return await indexTargets(account, { APT_CONFIG: conf });
    } finally {
      await run('rm', ['-rf', '--', state]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** What an image names in its own apt sources: the configured mirror, else the distribution's default; never a mirror that is only this host's. */
export async function findImageMirrors(
  distribution: Distribution,
  configured: string | undefined,
): Promise<MirrorChoice | undefined> {
  const mirror = configured === undefined ? await defaultMirror(distribution) : withoutUserInfo(configured);
  return mirror === undefined ? undefined : siblings(mirror);
}

function withoutUserInfo(url: string): string {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare.href.replace(/\/$/, '');
}

/** The distribution's own installers carry its default mirror; there is no other place on a host that does. */
const installers = [
  { file: '/usr/sbin/debootstrap', mirror: /^\s*DEF_MIRROR="?(https?:\/\/[^"\s]+)"?/m },
  { file: '/usr/bin/mmdebstrap', mirror: /^\s*my \$mirror\s*=\s*'(https?:\/\/[^']+)';/m },
];

async function defaultMirror(distribution: Distribution): Promise<string | undefined> {
  if (distribution !== 'debian') return undefined;
  for (const { file, mirror } of installers) {
    const found = mirror.exec(await readFile(file, 'utf8').catch(() => ''))?.[1];
    if (found) return found;
  }
  return undefined;
}
