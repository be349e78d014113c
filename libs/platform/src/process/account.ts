import { readFile } from 'node:fs/promises';
import { AppError } from '../errors/app-error.js';
import { askProgram, ProgramError, type Account } from './run-program.js';

/**
 * The system account that serves what the factory itself runs without root: its database and apt. Builds have an account of their own
 * (`openfactory-build`), so that what runs in a build can never touch the database. They are made by `npm run setup`.
 */
export const serviceAccountName = 'openfactory';
export const buildAccountName = 'openfactory-build';
/** Owns nothing but a range of subordinate ids, one for each VM, and the group by which clones share the memory of a snapshot. */
const vmAccountName = 'openfactory-vm';

/** Those that were found: set-up makes them once, and each look-up is two programs. */
const known = new Map<string, Account>();

/** @throws AppError `account_missing` */
export async function findAccount(name: string): Promise<Account> {
  const account = known.get(name) ?? (await lookUp(name));
  known.set(name, account);
  return account;
}

async function lookUp(name: string): Promise<Account> {
  const id = async (flag: string) => Number((await askProgram('id', [flag, name])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.why !== 'exit') throw error;
    throw missing(`The system account "${name}" does not exist.`);
  }
}

const missing = (message: string) =>
  new AppError({
    kind: 'unavailable',
    reason: 'account_missing',
    message,
    hint: 'Run "npm run setup" as root; it makes the accounts that the factory drops its privileges to.',
  });

/** As root, the account to drop to; otherwise undefined: the factory's own account is unprivileged already. */
export async function unprivilegedAccount(): Promise<Account | undefined> {
  return process.getuid?.() === 0 ? await findAccount(serviceAccountName) : undefined;
}

/** As root, the account that builds and guests run under; otherwise undefined: our own. */
export async function buildAccount(): Promise<Account | undefined> {
  return process.getuid?.() === 0 ? await findAccount(buildAccountName) : undefined;
}

interface VmAccounts {
  /** Group of what VMs may share. */
  gid: number;
  /** The first of the subordinate ids (subuid(5)); a VM's user and group id is this and its uid index. */
  firstId: number;
  count: number;
}

/** As root, the accounts that VMs run under; otherwise undefined: our own. @throws AppError `account_missing` */
export async function vmAccounts(): Promise<VmAccounts | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { gid } = await findAccount(vmAccountName);
  const [uids, gids] = await Promise.all(
    ['/etc/subuid', '/etc/subgid'].map(async (file) => findRange(await readFile(file, 'utf8').catch(() => ''))),
  );
  if (!uids || !gids || uids.firstId !== gids.firstId)
    throw missing(
      `The system account "${vmAccountName}" has no range of subordinate ids, the same one in /etc/subuid and /etc/subgid.`,
    );
  return { gid, firstId: uids.firstId, count: Math.min(uids.count, gids.count) };
}

function findRange(text: string): Omit<VmAccounts, 'gid'> | undefined {
  const line = text
    .split('\n')
    .map((one) => one.trim().split(':'))
    .find(([owner]) => owner === vmAccountName);
  const [firstId, count] = [Number(line?.[1]), Number(line?.[2])];
  return Number.isSafeInteger(firstId) && firstId > 0 && count > 0 ? { firstId, count } : undefined;
}
