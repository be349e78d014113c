import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, ProgramError } from '#libs/platform';
import {
  withoutCredentials,
  type AptPackageSource,
  type AptRoot,
  type AvailableBase,
  type RecipeDto,
  type Resolution,
} from '#libs/recipes';
import { BuildFailure } from '../build-pipeline.port.js';
import { fileSha256 } from '../file-hash.js';
import type { LockedPackage, PackageLock } from '../package-lock.js';
import type { StageCache } from '../stage-cache.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';

const resolveWithinMs = 120_000;
const listsWithinMs = 10 * 60_000;

/** Where the packages of a lock come from; kept beside the lock, because a mirror's address may hold a password. */
export interface PackageSources {
  /** By sha256. */
  urls: Record<string, string>;
  /** Stanzas of the Packages file, by sha256. */
  stanzas: Record<string, string>;
}

/** recipe -> lock: apt itself, in a private root with an empty dpkg status, says which packages an image gets. */
export class ResolveStage extends BuildStage {
  readonly name = 'resolve';
  readonly version = 1;

  constructor(
    private readonly source: AptPackageSource,
    private readonly cache: StageCache,
  ) {
    super();
  }

  /** The archive may have moved on. What apt answered is looked up by the index that it answered from. */
  inputs(): undefined {
    return undefined;
  }

  async make({ recipe, resolution }: PipelineState, outDir: string, context: StageContext): Promise<void> {
    const base = resolution.base as AvailableBase;
    const root = await this.source.root(base);
    await this.ensureLists(root, context);
    const architecture = (await root.run('dpkg', ['--print-architecture'], { deadlineMs: 30_000 })).stdout.trim();
    const { kernels, packages } = base.archive;
    const kernel = kernels[architecture as 'amd64' | 'arm64'][recipe.system.kernel];
    const baseNames = ['?essential', '?priority(required)', ...packages, kernel];
    const requested = requestedNames(recipe, resolution);
    const index = { architecture, ...(await indexState(root)) };
    const missing = (closure: Resolved[]) =>
      [...packages, kernel].filter((name) => !closure.some((one) => one.name === name));
    const inBase = await this.closure(root, index, baseNames, context);
    if (missing(inBase).length) throw new Error(`apt left packages of the base out: ${missing(inBase).join(', ')}`);
    const whole = requested.length ? await this.closure(root, index, [...baseNames, ...requested], context) : inBase;
    const known = new Set(inBase.map(({ sha256 }) => sha256));
    const strip = ({ url: _url, stanza: _stanza, ...locked }: Resolved): LockedPackage => locked;
    const lock: PackageLock = {
      baseImage: base.id,
      suite: base.archive.suite,
      architecture,
      epochSeconds: await releaseDate(root, base.archive.suite),
      base: inBase.map(strip),
      added: whole.filter(({ sha256 }) => !known.has(sha256)).map(strip),
      requested,
    };
    const all = [...inBase, ...whole];
    const sources: PackageSources = {
      urls: Object.fromEntries(all.map(({ sha256, url }) => [sha256, url])),
      stanzas: Object.fromEntries(all.map(({ sha256, stanza }) => [sha256, stanza])),
    };
    await writeFile(path.join(outDir, 'lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
    await writeFile(path.join(outDir, 'sources.json'), JSON.stringify(sources), { mode: 0o600 });
    context.log(`${lock.base.length} packages in the base, ${lock.added.length} added`);
  }

  async take(state: PipelineState, outDir: string): Promise<void> {
    state.lock = JSON.parse(await readFile(path.join(outDir, 'lock.json'), 'utf8')) as PackageLock;
    state.aptSources = await this.source.imageSources(state.resolution.base as AvailableBase);
  }

  /** The lists of every archive of the base. Where the refresh job is fetching them just now, apt's lock is held; then its result is waited for. */
  private async ensureLists(root: AptRoot, { log, signal }: StageContext): Promise<void> {
    const archives = (await readFile(path.join(root.dir, 'etc/apt/sources.list'), 'utf8')).trim().split('\n').length;
    const present = async () =>
      (await readdir(root.listsDir)).filter((name) => name.endsWith('_Packages')).length >= archives;
    if (await present()) return;
    log('The package index of the base is not there yet; fetching it');
    const deadline = Date.now() + listsWithinMs;
    while (!(await present())) {
      try {
        await root.run('apt-get', ['update', '-o', 'APT::Update::Error-Mode=any'], {
          deadlineMs: listsWithinMs,
          signal,
        });
      } catch (error) {
        if (signal.aborted || !(error instanceof ProgramError)) throw error;
        if (!/Could not get lock/.test(error.message) || Date.now() > deadline) throw indexUnavailable(error);
        await sleep(1_000, undefined, { signal });
      }
    }
  }

  /** A recipe's question and that of its base are kept apart: most recipes share a base. */
  private async closure(root: AptRoot, index: unknown, names: string[], context: StageContext): Promise<Resolved[]> {
    const { dir } = await this.cache.obtain(
      this.name,
      this.version,
      { index, names },
      async (outDir) => {
        // Addresses of a mirror may hold a password.
        await writeFile(path.join(outDir, 'closure.json'), JSON.stringify(await this.askApt(root, names, context)), {
          mode: 0o600,
        });
      },
      context.signal,
    );
    return JSON.parse(await readFile(path.join(dir, 'closure.json'), 'utf8')) as Resolved[];
  }

  private async askApt(root: AptRoot, names: string[], { signal }: StageContext): Promise<Resolved[]> {
    let listed: string;
    try {
      listed = (
        await root.run('apt-get', ['install', '--yes', '--no-install-recommends', '--print-uris', '--', ...names], {
          deadlineMs: resolveWithinMs,
          signal,
          outputCapBytes: 16 << 20,
        })
      ).stdout;
    } catch (error) {
      if (error instanceof ProgramError && error.why === 'exit')
        throw callerFailure(
          'unresolvable_packages',
          `The packages cannot be installed together: ${aptWords(error)}`,
          'Remove one of the packages named here, or ask for another version.',
        );
      throw error;
    }
    const urls = readUris(listed);
    const shown = await root.run('apt-cache', ['show', '--', ...urls.keys()], {
      deadlineMs: resolveWithinMs,
      signal,
      outputCapBytes: 64 << 20,
    });
    return readStanzas(shown.stdout, urls);
  }
}

type Resolved = LockedPackage & { url: string; stanza: string };

/** Lines of `--print-uris`: 'URL' file size [hash]. The file is name_version_architecture.deb with %-escapes. */
export function readUris(text: string): Map<string, string> {
  const urls = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, url, file] = /^'([^']+)' (\S+)\.deb \d+/.exec(line) ?? [];
    const [name, version, architecture] = file?.split('_') ?? [];
    if (!url || !name || !version || !architecture) continue;
    urls.set(`${name}${architecture === 'all' ? '' : `:${architecture}`}=${decodeURIComponent(version)}`, url);
  }
  return urls;
}

export function readStanzas(text: string, urls: Map<string, string>): Resolved[] {
  const found = new Map<string, Resolved>();
  for (const stanza of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? '';
    const [name, version, architecture, sha256] = [
      field('Package'),
      field('Version'),
      field('Architecture'),
      field('SHA256'),
    ];
    const spec = `${name}${architecture === 'all' ? '' : `:${architecture}`}=${version}`;
    const url = urls.get(spec);
    if (!url || found.has(spec) || !/^[0-9a-f]{64}$/.test(sha256)) continue;
    found.set(spec, {
      name,
      version,
      architecture,
      sha256,
      sizeBytes: Number(field('Size')),
      installedBytes: (Number(field('Installed-Size')) || 0) * 1024,
      poolPath: field('Filename'),
      url,
      stanza,
    });
  }
  const missing = [...urls.keys()].filter((spec) => !found.has(spec));
  if (missing.length)
    throw new Error(`apt names packages that it does not describe: ${missing.slice(0, 5).join(', ')}`);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Packages that the recipe's own fields need beside those of its features. */
export function requestedNames(
  { security, system, users }: RecipeDto,
  { packages, removedPackages }: Resolution,
): string[] {
  const needed = [
    ...(security.audit_logging ? ['auditd'] : []),
    ...(system.locale === 'C.UTF-8' || system.locale === 'C' || system.locale === 'POSIX' ? [] : ['locales']),
    // Without it, /etc/default/keyboard is a file that nobody reads.
    ...(system.keyboard === 'us' ? [] : ['console-setup']),
    ...(users.some(({ sudo }) => sudo) ? ['sudo'] : []),
  ];
  return [...new Set([...packages, ...needed])].sort().concat(removedPackages.map((name) => `${name}-`).sort());
}

/** Changes whenever apt could answer something else: other sources, or a list that was written anew. */
async function indexState(root: AptRoot): Promise<{ sources: string; lists: string[][] }> {
  const lists = (await readdir(root.listsDir)).filter((name) => /_(Packages|Release|InRelease)$/.test(name)).sort();
  const written = async (name: string) => {
    const { size, ino, mtimeNs, ctimeNs } = await lstat(path.join(root.listsDir, name), { bigint: true });
    return [name, size, ino, mtimeNs, ctimeNs].map(String);
  };
  return {
    sources: await fileSha256(path.join(root.dir, 'etc/apt/sources.list')),
    lists: await Promise.all(lists.map(written)),
  };
}

async function releaseDate(root: AptRoot, suite: string): Promise<number> {
  for (const name of await readdir(root.listsDir)) {
    if (!/_(In)?Release$/.test(name)) continue;
    const text = await readFile(path.join(root.listsDir, name), 'utf8');
    if (!new RegExp(`^Codename: ${suite}$`, 'm').test(text)) continue;
    const date = Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '');
    if (Number.isFinite(date)) return Math.floor(date / 1000);
  }
  throw new Error(`The Release file of ${suite} has no date.`);
}

function aptWords(error: ProgramError): string {
  const text = `${error.result?.stderr ?? ''}\n${error.result?.stdout ?? ''}`;
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^E: |Depends:|Conflicts:|Breaks:/.test(line));
  return lines.slice(0, 6).join('; ') || errorMessage(error);
}

function indexUnavailable(error: ProgramError): BuildFailure {
  const message = `The package index could not be fetched from the mirror: ${withoutCredentials(error.message)}.`;
  return new BuildFailure('resolve', 'system', {
    reason: 'package_index_unavailable',
    message,
    hint: 'Retry the build; if it stays, check the mirror.',
    retryable: true,
    cause: error,
  });
}

export function callerFailure(reason: string, message: string, hint: string): BuildFailure {
  return new BuildFailure('resolve', 'caller', { reason, message, hint });
}
