import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, open, type FileHandle } from 'node:fs/promises';

/** A lock of the kernel's, flock(2), that ends with this process whatever ends it: there are no stale ones. */
export interface KernelLock {
  release(): Promise<void>;
}

const busy = 4;

/**
 * Locks the file that has this name while the lock is held; it is made where there is none. Whoever holds the lock may remove the file before releasing it:
 * others that waited for it then lock its successor.
 * @returns undefined where its directory is gone, or where it cannot be had at once and `wait` is false
 */
export async function lock(
  file: string,
  kind: 'shared' | 'exclusive',
  { wait }: { wait: boolean },
): Promise<KernelLock | undefined> {
  for (;;) {
    const handle = await opened(file);
    if (!handle) return undefined;
    try {
      if (!(await lockHandle(handle, kind, wait))) {
        await handle.close();
        return undefined;
      }
      // As long as it is open, no other file has its inode.
      if ((await handle.stat()).ino === (await inodeOf(file))) return { release: () => handle.close() };
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
}

async function opened(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'a');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The lock is of what was opened, which flock(1) and we share: it stays when flock ends. */
async function lockHandle(handle: FileHandle, kind: 'shared' | 'exclusive', wait: boolean): Promise<boolean> {
  const program = spawn(
    'flock',
    [`--${kind}`, '--conflict-exit-code', String(busy), ...(wait ? [] : ['--nonblock']), '3'],
    { stdio: ['ignore', 'ignore', 'pipe', handle.fd] },
  );
  let complaint = '';
  program.stderr?.on('data', (chunk) => (complaint += String(chunk)));
  const [code] = (await once(program, 'close')) as [number | null];
  if (code !== 0 && code !== busy) throw new Error(`flock failed (${code}): ${complaint.trim()}`);
  return code === 0;
}

const inodeOf = async (file: string): Promise<number | undefined> => (await lstat(file).catch(() => undefined))?.ino;
