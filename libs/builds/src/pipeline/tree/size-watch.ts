import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

const everyMs = 1_000;

export interface SizeWatch {
  /** Aborts with the given signal, or when the directory has grown too large. */
  signal: AbortSignal;
  readonly exceeded: string | undefined;
  stop(): void;
}

/** There is no quota for a directory on every file system, so a growing layer is measured while it grows. */
export function watchSize(dir: string, maxBytes: number, outer: AbortSignal): SizeWatch {
  const controller = new AbortController();
  let exceeded: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    if ((await diskUsage(dir, maxBytes)) > maxBytes) exceeded = `The installation wrote more than ${Math.round(maxBytes / 2 ** 20)} MiB.`;
    if (exceeded) controller.abort();
    else schedule();
  };
  const schedule = () => {
    timer = setTimeout(() => void look().catch(schedule), everyMs).unref();
  };
  schedule();
  return { signal: AbortSignal.any([outer, controller.signal]), get exceeded() { return exceeded; }, stop: () => clearTimeout(timer) };
}

/** Bytes on disk below a directory, links not followed; stops counting beyond `enough`. */
export async function diskUsage(dir: string, enough = Infinity): Promise<number> {
  let bytes = 0;
  const open = [dir];
  for (let next = open.pop(); next !== undefined && bytes <= enough; next = open.pop()) {
    const entries = await readdir(next, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const file = path.join(next, entry.name);
      if (entry.isDirectory()) open.push(file);
      else bytes += ((await lstat(file).catch(() => undefined))?.blocks ?? 0) * 512;
    }
  }
  return bytes;
}
