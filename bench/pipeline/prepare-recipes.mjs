// A factory that is started for it prepares recipes as it does for a build: features resolved, defaults filled in, passwords hashed.
import { loadSettings } from '#libs/platform';
import { AptPackageSource, RecipeReader } from '#libs/recipes';
import { startFactory } from '../../dist/apps/cli/src/factory/start-factory.js';

export const caller = { kind: 'anonymous', ownerId: 'bench', address: '127.0.0.1', principalId: 'bench' };

/**
 * @param choose what to prepare, from a function that reads templates
 * @param use is called while the factory runs, with what was prepared and the factory's source of packages
 */
export async function prepareRecipes(dataDir, choose, use) {
  const { settings } = loadSettings({
    OPENFACTORY_DATA_DIR: dataDir,
    OPENFACTORY_HOST: '127.0.0.1',
    OPENFACTORY_PORT: '0',
    OPENFACTORY_ROLES: 'api',
    OPENFACTORY_LOG_LEVEL: 'warn',
  });
  const factory = await startFactory(settings);
  try {
    const reader = factory.app.get(RecipeReader, { strict: false });
    const prepared = [];
    for (const recipe of await choose(async (id) => (await reader.get(caller, id)).document)) {
      const { document, resolution } = await reader.prepare(caller, recipe);
      prepared.push({ document: JSON.parse(JSON.stringify(document)), resolution });
    }
    return await use(prepared, factory.app.get(AptPackageSource, { strict: false }));
  } finally {
    await factory.stop();
  }
}
