import type { Command } from 'commander';
import { formatChecks } from './doctor/check.js';
import { examine } from './doctor/examine.js';

export function registerDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check what the factory needs on this machine, and say what to do where something is missing')
    .option('--json', 'print the checks as JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const checks = await examine();
      process.stdout.write(`${json ? JSON.stringify(checks, null, 2) : formatChecks(checks)}\n`);
      if (checks.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1;
    });
}
