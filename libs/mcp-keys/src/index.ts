import type { EntityClass } from '#libs/platform';
import { McpKeyEntity } from './mcp-key.entity.js';

export { McpKeysModule } from './mcp-keys.module.js';

export const mcpKeyEntities: EntityClass[] = [McpKeyEntity];
