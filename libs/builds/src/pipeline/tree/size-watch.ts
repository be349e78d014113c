import { treeBytes } from './owned-dir.js';

const everyMs = 1_000;

export interface SizeWatch {
  /** Aborts with the given signal, or when the directory has grown too large. */
  signal: AbortSignal;
  readonly exceeded: boolean;
  stop(): void;
}

/** There is no quota for a directory on every file system, so a growing layer is measured while it grows. */
export function watchSize(dir: string, maxBytes: number, outer: AbortSignal): SizeWatch {
  const controller = new AbortController();
  const ended = new AbortController();
  let exceeded = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const [bytes = 0] = await treeBytes([dir], ended.signal);
    exceeded = bytes > maxBytes;
    if (exceeded) controller.abort();
    else schedule();
  };
  const schedule = () => {
    if (!ended.signal.aborted) timer = setTimeout(() => void look().catch(schedule), everyMs).unref();
  };
  const stop = () => {
    clearTimeout(timer);
    ended.abort();
  };
  schedule();
  return {
    signal: AbortSignal.any([outer, controller.signal]),
    get exceeded() {
      return exceeded;
    },
    stop,
  };
}
