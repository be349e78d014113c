// The frame of benchmarks that make images: a directory of their own, an end on a signal, and what the figures must be read with.
import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import os from 'node:os';
import { removeTree } from '../dist/libs/builds/src/pipeline/tree/owned-dir.js';

/**
 * Runs `work(scratch)`, in `dir` where one is given, tells the machine before and its load after it, and removes the directory unless it is to be kept.
 * @param stop AbortController that a signal ends the work by
 * @param about what else belongs into the line about the machine
 */
export async function inScratch(stop, { dir, keep = dir !== undefined, about = '' }, work) {
  process.umask(0o022);
  // Overlays need a real file system, which /tmp may not be.
  if (dir !== undefined) await mkdir(dir, { recursive: true });
  const scratch = dir === undefined ? await mkdtemp('/var/tmp/openfactory-bench-') : path.resolve(dir);
  // The build account and PostgreSQL's have to pass through.
  await chmod(scratch, 0o755);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error('Stopped.')));
  try {
    console.log(`Node ${process.version}, ${os.availableParallelism()} cores, ${os.cpus()[0]?.model}${about}`);
    await work(scratch);
    console.log(
      `load average of the machine, this run included: ${os
        .loadavg()
        .map((load) => load.toFixed(1))
        .join(', ')}`,
    );
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error('Stopped.');
    process.exitCode = 1;
  } finally {
    if (keep) console.log(`Kept: ${scratch}`);
    else await removeTree(scratch);
  }
}
