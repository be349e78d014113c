import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { errorMessage } from '#libs/platform';
import { guestAccount } from '../guest-account.js';
import { processorsOf } from '../host-processors.js';
import { openEgress } from './egress-network.js';

/**
 * Why guests with the network `egress` cannot be had here, in a sentence; undefined where they can. Only making such a network tells: programs,
 * user namespaces, /dev/net/tun and the kernel's filter are all needed.
 */
export async function egressProblem(): Promise<string | undefined> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-egress-'));
  try {
    await chmod(dir, 0o711);
    const network = await openEgress(
      { account: await guestAccount(), workDir: dir, processors: processorsOf('self') },
      new AbortController().signal,
    );
    await network.close();
    return undefined;
  } catch (error) {
    return errorMessage(error);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
