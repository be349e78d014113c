// The measured product: `factory-server.mjs DATA_DIR PADDING`. Everything is on, with an embedded PostgreSQL; only the worker role is not,
// because its jobs would run into the figures.
import 'reflect-metadata';
import { loadSettings } from '#libs/platform';
import { startFactory } from '../../dist/apps/cli/src/factory/start-factory.js';
import { benchToolsModule } from './bench-tools.mjs';
import { serveSideChannel } from './side-channel.mjs';

const [dataDir, padding] = process.argv.slice(2);
const { settings } = loadSettings({
  OPENFACTORY_HOST: '127.0.0.1',
  OPENFACTORY_PORT: '0',
  OPENFACTORY_ROLES: 'api',
  OPENFACTORY_LOG_LEVEL: 'warn',
  OPENFACTORY_DATA_DIR: dataDir,
  OPENFACTORY_MCP_MAX_SESSIONS_PER_CALLER: '2000',
  OPENFACTORY_MCP_MAX_SESSIONS_PER_OWNER: '2000',
  // Calls are counted as ever, and never too many.
  OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE: '10000000',
  OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS: '10000000',
});
const factory = await startFactory(settings, { extraModules: [benchToolsModule(Number(padding))] });
serveSideChannel(`${settings.publicUrl}/api/mcp/sse`, () => factory.stop());
