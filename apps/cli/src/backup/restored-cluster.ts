import { appendFile, chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { peerMap, runProgram, type Account } from '#libs/platform';

/**
 * Makes a restored cluster this machine's: its files belong to the account the server runs under, and the accounts of this machine may
 * connect (the peer map in the archive names those of the machine it was taken on).
 */
export async function adoptCluster(clusterDir: string, account: Account | undefined): Promise<void> {
  const file = path.join(clusterDir, 'pg_ident.conf');
  const present = (await readFile(file, 'utf8')).split('\n');
  const missing = peerMap(account).filter((line) => !present.includes(line));
  if (missing.length) await appendFile(file, `\n${missing.join('\n')}\n`);
  if (account)
    await runProgram('chown', ['--recursive', '--no-dereference', `${account.uid}:${account.gid}`, clusterDir], {
      deadlineMs: 60 * 60_000,
    });
  await chmod(clusterDir, 0o700);
}
