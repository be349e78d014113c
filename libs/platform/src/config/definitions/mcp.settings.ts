import { define } from '../setting-definition.js';
import { integer } from '../setting-parsers.js';

/** Read by libs/mcp. */
export const mcpSettings = {
  mcpMaxSessions: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS',
    meaning: 'MCP sessions of one process; beyond it new ones are told to come back later.',
    shownDefault: '5000',
    parse: integer(1, 1_000_000, 5000),
  }),
  mcpMaxSessionsPerCaller: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS_PER_CALLER',
    meaning: 'MCP sessions of one caller; a further one ends the caller’s longest idle session.',
    shownDefault: '100',
    parse: integer(1, 1_000_000, 100),
  }),
  mcpMaxSessionsPerOwner: define({
    name: 'OPENFACTORY_MCP_MAX_SESSIONS_PER_OWNER',
    meaning:
      'MCP sessions of one owner, with all keys of the account together; a further one ends the owner’s longest idle session.',
    shownDefault: '300',
    parse: integer(1, 1_000_000, 300),
  }),
  mcpMaxInFlight: define({
    name: 'OPENFACTORY_MCP_MAX_IN_FLIGHT',
    meaning: 'Requests that one MCP session may have running at once.',
    shownDefault: '32',
    parse: integer(1, 10_000, 32),
  }),
} as const;
