import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ArtifactStore } from '#libs/artifacts';
import { AppError, EventBus, invalidArguments, type Caller } from '#libs/platform';
import { RecipeReader } from '#libs/recipes';
import { BuildAdmission } from './build-admission.service.js';
import { isFinal, retryableStatuses } from './build.js';
import { BuildRepository } from './build.repository.js';
import type { CreateBuildInput, CreatedBuild, RetryBuildInput } from './builds.dto.js';

/** The use cases that change builds. */
@Injectable()
export class BuildService {
  constructor(
    private readonly recipes: RecipeReader,
    private readonly builds: BuildRepository,
    private readonly admission: BuildAdmission,
    private readonly store: ArtifactStore,
    private readonly database: DataSource,
    private readonly events: EventBus,
  ) {}

  /**
   * Stores a build and its job; a worker does the rest.
   * @throws AppError `invalid_arguments`, `invalid_recipe`, `recipe_not_found`, `build_quota`, `build_minutes_quota`, `disk_quota`, `idempotency_key_reused`
   */
  async create(
    caller: Caller,
    { recipe, recipe_id, idempotency_key }: CreateBuildInput,
    signal?: AbortSignal,
  ): Promise<CreatedBuild> {
    if ((recipe ?? undefined) === undefined ? !recipe_id : recipe_id)
      throw invalidArguments([{ path: '/recipe', code: 'one_of', message: 'give either recipe or recipe_id' }]);
    const found = recipe_id ? await this.recipes.get(caller, recipe_id) : undefined;
    const prepared = await this.recipes.prepare(caller, found?.document ?? recipe, {
      admit: () => this.admission.check(caller, { operation: 'create_build', key: idempotency_key }),
      ...(signal && { signal }),
    });
    const { document, validation } = prepared;
    const build = { name: String(document.name), recipe: document, recipeId: found?.id ?? null, retryOf: null };
    const body = found ? { recipe_id } : { recipe: document };
    return await this.admission.take(
      caller,
      build,
      { operation: 'create_build', key: idempotency_key, body },
      validation.resolved?.estimated_seconds ?? null,
    );
  }

  /**
   * A new build of the same recipe.
   * @throws AppError `build_not_found`, `build_not_retryable`, `build_quota`, `build_minutes_quota`, `disk_quota`, `idempotency_key_reused`
   */
  async retry(caller: Caller, { build_id, idempotency_key }: RetryBuildInput): Promise<CreatedBuild> {
    const { id, name, recipe, recipeId, status } = await this.builds.get(caller.ownerId, build_id);
    if (!retryableStatuses.includes(status))
      throw wrongState(
        'build_not_retryable',
        `The build is ${status}; only a failed or cancelled one can be retried.`,
        isFinal(status) ? 'To build the recipe again, use create_build.' : 'Wait for its end, or cancel it first.',
      );
    return await this.admission.take(
      caller,
      { name, recipe, recipeId, retryOf: id },
      { operation: 'retry_build', key: idempotency_key, body: { build_id: id } },
      null,
    );
  }

  /**
   * A waiting build is cancelled at once; a running one is told to stop and is cancelled when its worker has cleaned up.
   * Cancelling again changes nothing.
   * @throws AppError `build_not_found`, `build_already_ended`
   */
  async cancel(caller: Caller, id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const build = await this.builds.getLocked(manager, caller.ownerId, id);
      if (build.status === 'cancelled') return;
      if (isFinal(build.status))
        throw wrongState(
          'build_already_ended',
          `The build is ${build.status} already.`,
          'There is nothing left to cancel; deleting it deletes its files too.',
        );
      const publish = (topic: string) =>
        this.events.publish((sql, values) => manager.query(sql, values), topic, build.id);
      if (build.status === 'pending') await this.builds.cancelPending(manager, build.id);
      else {
        await this.builds.requestCancel(manager, build.id);
        await publish('build.cancel_requested');
      }
      await publish('build.changed');
    });
  }

  /** With log and artifacts. @throws AppError `build_not_found`, `build_not_ended` */
  async delete(caller: Caller, id: string): Promise<void> {
    const deleted = await this.database.transaction(async (manager) => {
      const build = await this.builds.getLocked(manager, caller.ownerId, id);
      if (!isFinal(build.status))
        throw wrongState(
          'build_not_ended',
          `The build is ${build.status}; only one that has ended can be deleted.`,
          'Cancel it first.',
        );
      await this.builds.delete(manager, build.id);
      await this.events.publish((sql, values) => manager.query(sql, values), 'build.deleted', build.id);
      return build.id;
    });
    // After the commit: files without a build are swept, a build without its files would be a lie.
    await this.store.deleteGroup(deleted);
  }
}

function wrongState(reason: string, message: string, hint: string): AppError {
  return new AppError({ kind: 'wrong_state', reason, message, hint });
}
