import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A lock of the kernel's, flock(2), that ends with this process whatever ends it: there are no stale ones. */
export interface KernelLock {
  release(): Promise<void>;
}

/**
 * Locks a file, which is made where there is none.
 * @returns undefined where its directory is gone, or where it cannot be had at once and `wait` is false
 */
export async function lock(file: string, kind: 'shared' | 'exclusive', { wait }: { wait: boolean }): Promise<KernelLock | undefined> {
  // cat(1) holds the lock's descriptor until its input, a pipe of ours, ends.
  const holder = spawn('flock', [`--${kind}`, ...(wait ? [] : ['--nonblock']), '--no-fork', file, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  holder.stderr.on('data', (chunk) => (complaint += String(chunk)));
  const closed = once(holder, 'close') as Promise<[number | null]>;
  const isHeld = await Promise.race([once(holder.stdout, 'data').then(() => true), closed.then(() => false)]);
  if (!isHeld) {
    if (complaint && !complaint.includes('No such file')) throw new Error(`${file} cannot be locked: ${complaint.trim()}`);
    return undefined;
  }
  // No reason for a test process to stay.
  holder.unref();
  for (const stream of [holder.stdin, holder.stdout, holder.stderr]) (stream as unknown as { unref(): void }).unref();
  return {
    async release() {
      holder.ref();
      holder.stdin.end();
      await closed;
    },
  };
}
