import { AppError } from '../errors/app-error.js';
import { runProgram, ProgramError, type Account } from './run-program.js';

/**
 * The system account that serves what the factory itself runs without root: its database and apt. Builds have an account of their own
 * (`openfactory-build`), so that what runs in a build can never touch the database. Both are made by `npm run setup`.
 */
export const serviceAccountName = 'openfactory';
export const buildAccountName = 'openfactory-build';

/** @throws AppError `account_missing` */
export async function findAccount(name: string): Promise<Account> {
  const id = async (flag: string) => Number((await runProgram('id', [flag, name], { deadlineMs: 5_000 })).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.why !== 'exit') throw error;
    throw new AppError({
      kind: 'unavailable',
      reason: 'account_missing',
      message: `The system account "${name}" does not exist.`,
      hint: 'Run "npm run setup" as root; it makes the accounts that the factory drops its privileges to.',
    });
  }
}

/** As root, the account to drop to; otherwise undefined: the factory's own account is unprivileged already. */
export async function unprivilegedAccount(): Promise<Account | undefined> {
  return process.getuid?.() === 0 ? await findAccount(serviceAccountName) : undefined;
}

/** As root, the account that builds and guests run under; otherwise undefined: our own. */
export async function buildAccount(): Promise<Account | undefined> {
  return process.getuid?.() === 0 ? await findAccount(buildAccountName) : undefined;
}
