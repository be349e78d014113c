import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AppError, errorMessage, Settings } from '#libs/platform';
import type { AvailableBase } from '../../catalogue/catalogue.js';
import { PackageSource, type FetchedIndex } from '../package-source.port.js';
import { findImageMirrors, rememberMirrors, sourcesOf } from './apt-mirrors.js';
import { AptRoot, type AptSource } from './apt-root.js';
import { StanzaReader, type Stanza } from './control-stanzas.js';
import { readPackage, recordFields, settleDependencies, type RawPackage } from './package-records.js';

const keyrings = {
  debian: { file: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring' },
  ubuntu: { file: '/usr/share/keyrings/ubuntu-archive-keyring.gpg', package: 'ubuntu-keyring' },
} as const;
const fetchWithinMs = 10 * 60_000;
const readWithinMs = 120_000;

/** The real index of a base, fetched and verified by apt in a root of its own. */
@Injectable()
export class AptPackageSource extends PackageSource {
  constructor(private readonly settings: Settings) {
    super();
  }

  async fetch(base: AvailableBase, signal?: AbortSignal): Promise<FetchedIndex> {
    try {
      const root = await this.root(base);
      await root.run('apt-get', ['update', '-o', 'APT::Update::Error-Mode=any'], {
        deadlineMs: fetchWithinMs,
        ...(signal && { signal }),
      });
      return await readRoot(root, signal);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError({
        kind: 'unavailable',
        reason: 'package_index_unavailable',
        message: `The package index of ${base.title} could not be fetched: ${withoutCredentials(errorMessage(error))}`,
        hint: `Check that this host reaches its package mirror (and that the mirror has ${base.archive.suite} and ${base.archive.security_suite}), or set OPENFACTORY_${base.archive.mirror.toUpperCase()}_MIRROR to another.`,
        cause: error,
      });
    }
  }

  /** The apt sources of an image of this base; none where neither the configuration nor the distribution's tools name a mirror. */
  async imageSources(base: AvailableBase): Promise<AptSource[]> {
    const { mirror } = base.archive;
    const mirrors = await findImageMirrors(
      mirror,
      mirror === 'debian' ? this.settings.debianMirror : this.settings.ubuntuMirror,
    );
    return mirrors ? sourcesOf(base, mirrors) : [];
  }

  /** The root in which apt works for a base; its sources are written anew each time, so a changed setting takes effect. */
  async root(base: AvailableBase): Promise<AptRoot> {
    const { mirror } = base.archive;
    const keyring = keyrings[mirror];
    if (!existsSync(keyring.file)) {
      throw new AppError({
        kind: 'unavailable',
        reason: 'keyring_missing',
        message: `The keyring ${keyring.file} is missing, so the archive's signatures cannot be verified.`,
        hint: `Install the package ${keyring.package} on this host.`,
      });
    }
    const mirrors = await rememberMirrors(
      mirror,
      mirror === 'debian' ? this.settings.debianMirror : this.settings.ubuntuMirror,
    );
    return await AptRoot.make(
      path.join(this.settings.dataDir, 'package-index', base.id),
      sourcesOf(base, mirrors),
      keyring.file,
    );
  }
}

async function readRoot(root: AptRoot, signal: AbortSignal | undefined): Promise<FetchedIndex> {
  const versions = new Map<string, Set<string>>();
  const lists = (await readdir(root.listsDir))
    .filter((name) => name.endsWith('_Packages'))
    .map((name) => path.join(root.listsDir, name));
  // Read by the account, not by us: the directory is the account's, and a link in it must lead nowhere that it could not go itself.
  await readStanzas(
    root,
    'grep',
    ['-hE', '^(Package|Version): |^$', '--', ...lists],
    ['Package', 'Version'],
    signal,
    ({ Package: name = '', Version: version = '' }) => {
      const known = versions.get(name);
      if (known) known.add(version);
      else versions.set(name, new Set([version]));
    },
  );
  const candidates = new Map<string, RawPackage>();
  await readStanzas(root, 'apt-cache', ['dumpavail'], recordFields, signal, (stanza) => {
    const entry = readPackage(stanza);
    if (entry) candidates.set(entry.name, entry);
  });
  if (candidates.size === 0) throw new Error('apt found no package in it');
  const { stdout } = await root.run('dpkg', ['--print-architecture'], { deadlineMs: 30_000 });
  return { architecture: stdout.trim(), packages: await settleDependencies(candidates, versions) };
}

async function readStanzas(
  root: AptRoot,
  program: string,
  args: string[],
  fields: readonly string[],
  signal: AbortSignal | undefined,
  onStanza: (stanza: Stanza) => void,
): Promise<void> {
  const reader = new StanzaReader(fields, onStanza);
  // Callers of this process get their turn after every chunk; else reading goes on for 2 MB at a time.
  const onStdout = async (chunk: Buffer) => {
    reader.push(chunk);
    await turn();
  };
  await root.run(program, args, { deadlineMs: readWithinMs, onStdout, ...(signal && { signal }) });
  reader.end();
}

/** apt repeats addresses in its complaints, and an address may hold a password. */
export function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/@\s]+@/g, '//');
}
