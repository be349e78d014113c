import { chmod } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { checkBoot, usualGuestSize } from '#libs/hypervisor';
import { usualPatience } from '../../libs/hypervisor/src/guest-patience.js';
import { QemuHypervisor } from '../../libs/hypervisor/src/qemu/qemu-hypervisor.js';
import { useImage } from '../support/images/use-image.js';
import { qemusOf } from '../support/qemu-processes.js';

const minutes = 60_000;
/** What the guest gets of the time that it would have, and what every deadline has of its own: a tenth together, in a fraction of the time. */
const [runsMs, standsMs] = [60, 90];
const deadlineShare = 1 / 4;

/** Has the QEMU of a directory run for a moment and stand still for a moment, as a host does that has too much to do. @returns ends it */
function starve(workDir: string): () => Promise<void> {
  let isOver = false;
  const signal = (pids: number[], name: NodeJS.Signals) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended.
      }
    }
  };
  const work = (async () => {
    for (let pids: number[] = []; !isOver;) {
      if (pids.length === 0) pids = await qemusOf(workDir);
      signal(pids, 'SIGSTOP');
      await sleep(standsMs);
      signal(pids, 'SIGCONT');
      await sleep(runsMs);
    }
  })();
  return async () => {
    isOver = true;
    await work;
  };
}

describe('the boot check', () => {
  const image = useImage('sink');

  it(
    'blames no sound image for a guest that is ten times slower than its deadlines were made for',
    async () => {
      await image.scratch(async (workDir) => {
        await chmod(workDir, 0o711);
        const feed = starve(workDir);
        const { lookMs, standstillMs, cpuMs, longestMs } = usualPatience;
        const patience = {
          lookMs,
          standstillMs: standstillMs * deadlineShare,
          cpuMs: cpuMs * deadlineShare,
          longestMs: longestMs * deadlineShare,
        };
        try {
          const report = await checkBoot(
            new QemuHypervisor(),
            {
              isoPath: image.isoPath,
              firmware: 'bios',
              ...usualGuestSize,
              guestChannels: { agent: true, helper: true },
              services: ['ssh.service'],
              workDir,
            },
            new AbortController().signal,
            undefined,
            { watchMs: 500, retryMs: 2_000, graceMs: 30_000 * deadlineShare, patience },
          );
          // Where it could not tell, it says that it was late.
          expect({ ...report, screenshot: undefined }).toMatchObject(
            report.isLate ? { passed: false } : { passed: true, problems: [] },
          );
        } finally {
          await feed();
        }
      });
    },
    20 * minutes,
  );
});
