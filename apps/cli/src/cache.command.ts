import path from 'node:path';
import type { Command } from 'commander';
import { AppError, EmbeddedPostgres, loadSettings } from '#libs/platform';
import { measureCache, pruneCache } from '#libs/builds';

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

export function registerCacheCommand(program: Command): void {
  const cache = program.command('cache').description('Show the build cache of this host, or prune it');
  const dirsOf = (dataDir: string) => ({
    cacheDir: path.join(dataDir, 'builds/cache'),
    poolDir: path.join(dataDir, 'builds/pool'),
  });

  cache
    .command('show', { isDefault: true })
    .description('How much the build cache holds')
    .action(async () => {
      const { settings } = loadSettings();
      const { bytes, entries } = await measureCache(dirsOf(settings.dataDir));
      console.log(`${gib(bytes)} of ${settings.cacheMaxGb} GiB in ${entries} entries below ${settings.dataDir}/builds`);
    });

  cache
    .command('prune')
    .description('Remove what was used least recently until the cache fits; the factory must be stopped')
    .option('--max-gb <gib>', 'down to so many GiB instead of OPENFACTORY_CACHE_MAX_GB; 0 empties it')
    .action(async ({ maxGb }: { maxGb?: string }) => {
      const { settings } = loadSettings();
      const limit = maxGb === undefined ? settings.cacheMaxGb : Number(maxGb);
      if (!Number.isFinite(limit) || limit < 0)
        throw new AppError({
          kind: 'invalid',
          reason: 'invalid_size',
          message: `"${maxGb}" is not a number of GiB.`,
          hint: 'Use a number such as 20, or 0.',
        });
      if (settings.usesEmbeddedDatabase && (await new EmbeddedPostgres({ dataDir: settings.dataDir }).isRunning())) {
        throw new AppError({
          kind: 'wrong_state',
          reason: 'factory_running',
          message: 'A factory is running on this data directory, and a build of its may be using the cache.',
          hint: 'Stop it first; while it runs it prunes by itself, after builds.',
        });
      }
      const { bytes, entries } = await pruneCache(dirsOf(settings.dataDir), limit * 2 ** 30);
      console.log(`Removed ${entries} entries, ${gib(bytes)}`);
    });
}
