import path from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '#libs/platform';
import { embeddedDataDir, untilInterrupted } from './backup/command-context.js';
import { restoreBackup } from './backup/restore-backup.js';

export function registerRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('put a backup in place of the data directory; the factory must be stopped')
    .argument('<file>', 'an archive made by "openfactory backup"')
    .option('--force', 'move a data directory that is not empty aside; it is never deleted')
    .action(async (file: string, { force = false }: { force?: boolean }) => {
      const dataDir = embeddedDataDir(
        loadSettings().settings,
        'restored with pg_restore, and the data directory with any tool',
      );
      const { manifest, movedTo } = await untilInterrupted((signal) =>
        restoreBackup({ dataDir, file: path.resolve(file), force, signal }),
      );
      const moved = movedTo ? ` The old data directory is now ${movedTo}.` : '';
      process.stdout.write(
        `Restored the backup of ${manifest.created_at} to ${dataDir}.${moved} Start it with "openfactory up".\n`,
      );
    });
}
