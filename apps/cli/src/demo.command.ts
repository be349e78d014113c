import type { Command } from 'commander';
import { loadClientSettings } from '#libs/platform';
import { runDemo } from './demo/run-demo.js';
import { Screen } from './demo/screen.js';

const endedByCtrlC = 130;

export function registerDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'Build an image from a template over MCP, download it and say how to boot it, as a client of a running factory (OPENFACTORY_URL, OPENFACTORY_API_KEY)',
    )
    .option('--template <id>', 'template to start from', 'debian-server')
    .option('--name <name>', 'name of the recipe and the image; a fresh one without it')
    .option('--output <directory>', 'where the image goes', '.')
    .action(async ({ template, name, output }: { template: string; name?: string; output: string }) => {
      const stop = new AbortController();
      // The second Ctrl-C ends the command at once: nobody listens any more.
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal));
      const outcome = await runDemo(
        { ...loadClientSettings(), template, name, outputDir: output },
        new Screen(process.stdout),
        stop.signal,
      );
      process.exit({ done: 0, failed: 1, cancelled: endedByCtrlC }[outcome]);
    });
}
