import 'reflect-metadata';
import { Command } from 'commander';
import { AppError, productVersion } from '#libs/platform';
import { registerAdminCommand } from './admin.command.js';
import { registerBackupCommand } from './backup.command.js';
import { registerDemoCommand } from './demo.command.js';
import { registerCacheCommand } from './cache.command.js';
import { registerDoctorCommand } from './doctor.command.js';
import { registerMcpCommand } from './mcp.command.js';
import { registerRestoreCommand } from './restore.command.js';
import { registerUpCommand } from './up.command.js';

// Other accounts have to reach what the factory makes; what is secret gets its own mode.
process.umask(0o022);

const program = new Command('openfactory').description('A factory for operating-system images').version(productVersion);
registerUpCommand(program);
registerAdminCommand(program);
registerMcpCommand(program);
registerDemoCommand(program);
registerDoctorCommand(program);
registerBackupCommand(program);
registerCacheCommand(program);
registerRestoreCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  console.error(`openfactory: ${[error.message, error.hint].filter(Boolean).join(' ')}`);
  process.exit(1);
}
