import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { ProgramError, runProgram } from '#libs/platform';
import { manifestName, parseManifest, refusal, type BackupManifest } from './manifest.js';

const longestMs = 24 * 60 * 60 * 1000;

/** @throws AppError */
export async function readManifest(file: string): Promise<BackupManifest> {
  try {
    const { stdout } = await runProgram(
      'tar',
      ['--zstd', '--extract', '--to-stdout', '--occurrence=1', `--file=${file}`, manifestName],
      { deadlineMs: 60_000, outputCapBytes: 1 << 16 },
    );
    return parseManifest(stdout);
  } catch (error) {
    if (error instanceof ProgramError)
      throw refusal(
        `The archive cannot be read: ${error.message}.`,
        'Choose an archive that "openfactory backup" made; if it is one, run "openfactory doctor".',
      );
    throw error;
  }
}

/**
 * Unpacks into an empty directory that nobody else can enter. An archive may come from anywhere, its seal proves only that it is whole:
 * names that lead out are refused before, links that lead out and devices after, and nothing is used until then.
 * @throws AppError
 */
export async function unpack(
  file: string,
  dir: string,
  { keepOwners, signal }: { keepOwners: boolean; signal: AbortSignal },
): Promise<void> {
  await checkNames(file, signal);
  const owners = keepOwners ? [] : ['--no-same-owner'];
  await runProgram(
    'tar',
    ['--zstd', '--extract', '--keep-old-files', ...owners, `--file=${file}`, `--directory=${dir}`],
    { deadlineMs: longestMs, signal },
  );
  await checkTree(dir, dir);
}

async function checkNames(file: string, signal: AbortSignal): Promise<void> {
  let rest = '';
  const check = (name: string) => {
    if (name.startsWith('/') || name.split('/').includes('..')) throw unsafe();
  };
  await runProgram('tar', ['--zstd', '--list', '--absolute-names', '--quoting-style=literal', `--file=${file}`], {
    deadlineMs: longestMs,
    signal,
    onStdout: (chunk) => {
      const lines = `${rest}${chunk.toString('latin1')}`.split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(check);
    },
  }).catch((error: unknown) => {
    throw error instanceof ProgramError && error.why === 'aborted' && !signal.aborted ? unsafe() : error;
  });
}

async function checkTree(root: string, dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) await checkTree(root, file);
    else if (entry.isSymbolicLink()) {
      const target = path.relative(root, path.resolve(dir, await readlink(file)));
      if (target.startsWith('..') || path.isAbsolute(target)) throw unsafe();
    } else if (!entry.isFile() || ((await lstat(file)).mode & 0o6000) !== 0) throw unsafe();
  }
}

const unsafe = () =>
  refusal(
    'The archive holds names or links that lead out of it, or special files.',
    'It was not made by "openfactory backup"; nothing was touched.',
  );
