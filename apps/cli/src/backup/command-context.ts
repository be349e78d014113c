import type { Settings } from '#libs/platform';
import { refusal } from './manifest.js';

/** @throws AppError where the database is not the embedded one */
export function embeddedDataDir(settings: Settings, instead: string): string {
  if (settings.usesEmbeddedDatabase) return settings.dataDir;
  throw refusal(
    'The database is a server of its own (DATABASE_URL), which this command does not save or restore.',
    `The database is ${instead}: see docs/operations.md.`,
  );
}

/** Ctrl-C ends the work cleanly: nothing half-written stays. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort(refusal('Interrupted.', 'Nothing half-written was left behind.'));
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}
