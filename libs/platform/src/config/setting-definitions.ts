import { buildSettings } from './definitions/builds.settings.js';
import { callerSettings } from './definitions/callers.settings.js';
import { factorySettings } from './definitions/factory.settings.js';
import { identitySettings } from './definitions/identity.settings.js';
import { mcpSettings } from './definitions/mcp.settings.js';
import { vmSettings } from './definitions/vms.settings.js';

export { clientSettings as clientSettingDefinitions } from './definitions/client.settings.js';

/** Every variable the factory reads, in the order of the documentation (docs/configuration.md is made from this list). */
export const settingDefinitions = {
  ...factorySettings,
  ...callerSettings,
  ...identitySettings,
  ...mcpSettings,
  ...buildSettings,
  ...vmSettings,
} as const;
