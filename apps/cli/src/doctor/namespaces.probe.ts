import { chmod, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tryOwnFileSystem } from '#libs/builds';
import { AppError, buildAccountName, errorMessage, findAccount, removeTree } from '#libs/platform';
import { ok, warn, type Check } from './check.js';
import { setupRules } from './setup-rules.js';

const name = 'user namespaces';

/** Makes the namespaces a build runs in, as the account a build runs under. */
export async function probeNamespaces(): Promise<Check[]> {
  const isRoot = process.getuid?.() === 0;
  try {
    const { tryNamespaces } = await setupRules();
    const { code, output } = await tryNamespaces(isRoot ? await findAccount(buildAccountName) : undefined);
    if (code === 0)
      return [
        ok(
          name,
          `user, mount, pid and network namespaces work ${isRoot ? `for ${buildAccountName}` : 'for this account'}`,
        ),
      ];
    return [warn(name, `do not work: ${output.trim().split('\n').at(-1) || `exit code ${code}`}`, await remedy())];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [warn(name, `not probed: ${error.message}`, error.hint ?? '')];
  }
}

const roomName = 'room of builds';

/** Mounts a small file system as a build does for its layers. */
export async function probeBuildRoom(): Promise<Check[]> {
  const measured = 'layers are measured while they grow';
  if (process.getuid?.() !== 0)
    return [
      warn(
        roomName,
        `${measured}: only root gives each a file system of its own`,
        'Run the factory as root where strangers use it; otherwise keep its data on a disk of its own.',
      ),
    ];
  const dir = await mkdtemp(path.join(tmpdir(), 'of-room-'));
  try {
    await chmod(dir, 0o755);
    await tryOwnFileSystem(dir, await findAccount(buildAccountName));
    return [ok(roomName, 'each layer has a file system of its own, with bounds of bytes and files')];
  } catch (error) {
    return [
      warn(
        roomName,
        `${measured}: ${errorMessage(error)}`,
        'Give the factory loop devices (/dev/loop-control), in a container with --device and CAP_SYS_ADMIN; otherwise keep its data on a disk of its own.',
      ),
    ];
  } finally {
    await removeTree(dir);
  }
}

async function remedy(): Promise<string> {
  const setting = async (file: string) => (await readFile(`/proc/sys/${file}`, 'utf8').catch(() => '')).trim();
  if ((await setting('kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    return 'AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns=1, as on Ubuntu): give /usr/bin/unshare a profile with "userns," in /etc/apparmor.d and load it with apparmor_parser -r; builds need it.';
  }
  if ((await setting('kernel/unprivileged_userns_clone')) === '0')
    return 'Run "sysctl -w kernel.unprivileged_userns_clone=1" as root and keep it in /etc/sysctl.d; builds need it.';
  if ((await setting('user/max_user_namespaces')) === '0')
    return 'Raise user.max_user_namespaces with sysctl; builds need it.';
  return 'Builds need them: check that uidmap is installed, that the account has ranges in /etc/subuid and /etc/subgid, and in a container, that it may make namespaces.';
}
