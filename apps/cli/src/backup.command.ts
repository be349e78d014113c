import path from 'node:path';
import type { Command } from 'commander';
import { loadSettings } from '#libs/platform';
import { embeddedDataDir, untilInterrupted } from './backup/command-context.js';
import { takeBackup } from './backup/take-backup.js';

export function registerBackupCommand(program: Command): void {
  program
    .command('backup')
    .description('save the embedded database and the data directory to one archive, while the factory runs or not')
    .option('-o, --output <file>', 'the archive to write (default: openfactory-backup-<time>.tar.zst here)')
    .action(async ({ output }: { output?: string }) => {
      const dataDir = embeddedDataDir(
        loadSettings().settings,
        'backed up with pg_dump, and the data directory with any tool',
      );
      const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
      const file = path.resolve(output ?? `openfactory-backup-${time}.tar.zst`);
      const { sizeBytes, postgresVersion } = await untilInterrupted((signal) => takeBackup(dataDir, file, signal));
      process.stdout.write(
        `Saved ${dataDir} (PostgreSQL ${postgresVersion}) to ${file}, ${(sizeBytes / 1e6).toFixed(1)} MB. It holds secrets: keep it private.\n`,
      );
    });
}
