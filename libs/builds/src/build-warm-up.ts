import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { errorMessage, Settings } from '#libs/platform';
import { RecipeReader } from '#libs/recipes';

/** Touches what most recipes have, so that rules, catalogue and package index have been used once. Never stored or built. */
const recipe = {
  name: 'warm-up',
  base_image: 'debian-bookworm',
  features: ['ssh'],
  packages: ['htop'],
  users: [{ username: 'nobody-yet', ssh_keys: [] }],
};

/** The first validation of a process costs several times what a later one does; it is done before there is a caller who would wait for it. */
@Injectable()
export class BuildWarmUp implements OnApplicationBootstrap {
  private readonly log = new Logger('Builds');

  constructor(
    private readonly recipes: RecipeReader,
    private readonly settings: Settings,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.settings.roles.includes('api')) return;
    await this.recipes
      .validate(recipe)
      .catch((error: unknown) => this.log.warn(`The first validation of a recipe failed: ${errorMessage(error)}`));
  }
}
