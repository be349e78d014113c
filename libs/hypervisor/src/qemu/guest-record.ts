import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { ClosedPort, GuestSpec } from '../hypervisor.port.js';
import type { ProcessIdentity } from './process-identity.js';
import type { GuestProcesses } from './qemu-process.js';

const fileName = 'guest.json';
const version = 1;

/** What another factory needs to take a guest over. */
export interface GuestRecord {
  spec: GuestSpec;
  processes: GuestProcesses;
  /** Of the directory below `spec.workDir`, and of the guest in QMP. */
  place: string;
  serialLog: string;
  closedPorts: readonly ClosedPort[];
}

/** Whole or not at all: a factory may be killed at any moment. */
export async function writeRecord(record: GuestRecord): Promise<void> {
  await writeFileAtomic(path.join(record.spec.workDir, fileName), JSON.stringify({ version, ...record }), {
    mode: 0o600,
  });
}

/** Undefined: there is none that makes sense. */
export async function readRecord(workDir: string): Promise<GuestRecord | undefined> {
  try {
    const found = JSON.parse(await readFile(path.join(workDir, fileName), 'utf8')) as GuestRecord & { version: number };
    // Records of factories before this one name no closed ports, and called the uid index a slot.
    const { place, serialLog, processes, closedPorts = [] } = found;
    const { slot, ...spec } = found.spec as GuestSpec & { slot?: number };
    const isSound =
      found.version === version &&
      isName(place) &&
      isName(serialLog) &&
      isIdentity(processes.launcher) &&
      isIdentity(processes.qemu) &&
      closedPorts.every(isClosedPort);
    // The directory may have been moved with all that is in it.
    return isSound
      ? {
          place,
          serialLog,
          processes,
          closedPorts,
          spec: { ...(slot !== undefined && { uidIndex: slot }), ...spec, workDir },
        }
      : undefined;
  } catch {
    return undefined;
  }
}

export async function removeRecord(workDir: string): Promise<void> {
  await rm(path.join(workDir, fileName), { force: true }).catch(() => undefined);
}

const isName = (value: unknown) => typeof value === 'string' && /^[\w.-]+$/.test(value);
const isClosedPort = ({ port, why }: ClosedPort) => ['agent', 'helper'].includes(port) && typeof why === 'string';
const isIdentity = (value: ProcessIdentity) =>
  Number.isSafeInteger(value.pid) && value.pid > 1 && Number.isSafeInteger(value.startedAt);
