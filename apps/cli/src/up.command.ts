import type { Command } from 'commander';
import { loadSettings } from '#libs/platform';
import { banner } from './factory/banner.js';
import { startFactory } from './factory/start-factory.js';

/** A second signal, or a stop that hangs, must not keep the terminal: after this long the process ends whatever is left. VMs have 20 s to shut down. */
const stopWithinMs = 40_000;

export function registerUpCommand(program: Command): void {
  program
    .command('up')
    .description('Start the factory (database, API, worker) in this process until Ctrl-C')
    .action(async () => {
      const { settings, warnings } = loadSettings();
      for (const warning of warnings) console.warn(`Warning: ${warning}`);
      const ended = untilSignal();
      const factory = await Promise.race([startFactory(settings), ended.then(() => undefined)]);
      if (!factory) process.exit(130);
      if (factory.postgres) {
        factory.postgres.onUnexpectedExit = (lastLines) => {
          console.error(`The embedded PostgreSQL ended unexpectedly: ${lastLines}\nStarting it again.`);
          factory.postgres?.start().catch((error: Error) => {
            console.error(`It could not be started again: ${error.message}`);
            process.kill(process.pid, 'SIGTERM');
          });
        };
      }
      console.log(banner(settings, factory.setUpUrl));
      const signal = await ended;
      console.log(`\n${signal}: stopping.`);
      setTimeout(() => {
        console.error('Stopping took too long; ending now.');
        process.exit(1);
      }, stopWithinMs).unref();
      await factory.stop();
      process.exit(0);
    });
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      let seenAt: number | undefined;
      process.on(signal, () => {
        // A terminal and a parent that dies may both send the first one; only a person sends another a second later.
        if (seenAt !== undefined && Date.now() - seenAt > 1_000) process.exit(1);
        seenAt ??= Date.now();
        resolve(signal);
      });
    }
  });
}
