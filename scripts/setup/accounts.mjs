import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { SetupProblem } from './problem.mjs';
import { lastLines, run } from './programs.mjs';

/** The names are those of libs/platform/src/process/account.ts. */
const accounts = ['openfactory', 'openfactory-build', 'openfactory-vm'];
/** A build's namespace maps the ids of the one; each VM runs under an id of the other. */
const accountsWithRange = ['openfactory-build', 'openfactory-vm'];
const rangeLength = 65_536;
/** SUB_UID_MIN of Debian's login.defs(5). */
const firstSubordinate = 100_000;
const files = ['/etc/subuid', '/etc/subgid'];

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** @returns the ranges of a subuid(5) file */
export function parseRanges(text) {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter((fields) => fields.length === 3)
    .map(([owner, first, count]) => ({ owner, first: Number(first), count: Number(count) }));
}

/** @returns the first id of a range that touches none of the given ones */
export function freeRange(ranges, length = rangeLength) {
  let first = firstSubordinate;
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    if (range.first < first + length && first < range.first + range.count) first = range.first + range.count;
  }
  return first;
}

const hasRange = (ranges, account) => ranges.some(({ owner, count }) => owner === account && count >= rangeLength);

/** @returns those of the factory's accounts that do not exist */
export async function missingAccounts() {
  const { output } = await run('getent', ['passwd', ...accounts]);
  const names = output.split('\n').map((line) => line.split(':')[0]);
  return accounts.filter((name) => !names.includes(name));
}

/** @returns the accounts that lack a range of subordinate ids, each with the files in which it does */
export const accountsWithoutRange = () =>
  accountsWithRange
    .map((account) => ({ account, files: files.filter((file) => !hasRange(parseRanges(read(file)), account)) }))
    .filter(({ files: without }) => without.length > 0);

export const accountsStep = {
  /** Only root can make accounts, and only root needs them: run by anybody else, the factory has no privileges to drop. */
  async pending() {
    if (process.getuid() !== 0) return undefined;
    const missing = await missingAccounts();
    if (missing.length) return `Making the system accounts ${missing.join(' and ')}`;
    const names = accountsWithoutRange().map(({ account }) => account);
    return names.length ? `Giving ${names.join(' and ')} subordinate ids` : undefined;
  },
  async perform() {
    for (const name of await missingAccounts()) {
      await must('useradd', [
        '--system',
        '--user-group',
        '--no-create-home',
        '--home-dir',
        '/nonexistent',
        '--shell',
        '/usr/sbin/nologin',
        name,
      ]);
    }
    for (const file of files) if (!existsSync(file)) writeFileSync(file, '', { mode: 0o644 });
    for (const { account, files: without } of accountsWithoutRange()) {
      // Free in both files, so that a uid and its gid map alike.
      const first = freeRange(files.flatMap((file) => parseRanges(read(file))));
      const range = `${first}-${first + rangeLength - 1}`;
      for (const file of without)
        await must('usermod', [file === '/etc/subuid' ? '--add-subuids' : '--add-subgids', range, account]);
    }
  },
};

async function must(program, args) {
  const { code, output } = await run(program, args);
  if (code !== 0)
    throw new SetupProblem(
      `The system accounts could not be made: run "${program} ${args.join(' ')}" as root and mend what it complains about (${lastLines(output)}).`,
    );
}
