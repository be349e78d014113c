import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, QueryFailedError, type EntityManager } from 'typeorm';
import { AppError } from '#libs/platform';
import { RecipeEntity } from './recipe.entity.js';

export interface NewRecipe {
  ownerId: string;
  name: string;
  templateId: string | null;
  document: Record<string, unknown>;
}

export const mostRecipesPerCaller = 1_000;
/** As they are stored; a recipe may hold a MiB of files. */
export const mostRecipeBytesPerCaller = 64 * 1024 * 1024;

/** The recipes that callers own. Every query names the owner. */
@Injectable()
export class RecipeRepository {
  constructor(private readonly database: DataSource) {}

  async list(ownerId: string): Promise<RecipeEntity[]> {
    return await this.database
      .getRepository(RecipeEntity)
      .find({ where: { ownerId }, order: { createdAt: 'DESC', id: 'ASC' }, take: mostRecipesPerCaller });
  }

  async find(ownerId: string, id: string): Promise<RecipeEntity | null> {
    return await this.database.getRepository(RecipeEntity).findOneBy({ ownerId, id });
  }

  /** Before work is done that a full store would throw away. @throws AppError `recipe_quota` */
  async checkRoom(ownerId: string): Promise<void> {
    await admit(this.database.manager, ownerId);
  }

  /** @throws AppError `recipe_name_taken`, `recipe_quota` */
  async insert(manager: EntityManager, recipe: NewRecipe): Promise<RecipeEntity> {
    // One insert of an owner at a time, so that the count holds.
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`recipe ${recipe.ownerId}`]);
    await admit(manager, recipe.ownerId);
    try {
      return await manager.save(RecipeEntity, { ...recipe, id: `rcp-${randomUUID()}` });
    } catch (error) {
      if (
        error instanceof QueryFailedError &&
        (error.driverError as { constraint?: string }).constraint === 'recipe_owner_name'
      )
        throw nameTaken(recipe.name);
      throw error;
    }
  }

  /** @returns whether there was one */
  async delete(ownerId: string, id: string): Promise<boolean> {
    const { affected } = await this.database.getRepository(RecipeEntity).delete({ ownerId, id });
    return (affected ?? 0) > 0;
  }
}

function nameTaken(name: string): AppError {
  return new AppError({
    kind: 'conflict',
    reason: 'recipe_name_taken',
    message: `You already have a recipe named "${name}".`,
    hint: 'Choose another name, or delete the old recipe first.',
  });
}

/** @throws AppError `recipe_quota` */
async function admit(manager: EntityManager, ownerId: string): Promise<void> {
  const [row] = await manager.query<{ count: string; bytes: string | null }[]>(
    'SELECT count(*) AS count, sum(pg_column_size(document)) AS bytes FROM recipe WHERE owner_id = $1',
    [ownerId],
  );
  if (Number(row?.count ?? 0) >= mostRecipesPerCaller)
    throw quotaReached(`You have ${mostRecipesPerCaller} recipes, which is the most.`);
  if (Number(row?.bytes ?? 0) >= mostRecipeBytesPerCaller)
    throw quotaReached(`Your recipes take ${mostRecipeBytesPerCaller / 2 ** 20} MiB, which is the most.`);
}

function quotaReached(message: string): AppError {
  return new AppError({
    kind: 'quota',
    reason: 'recipe_quota',
    message,
    hint: 'Delete recipes that you no longer need.',
    retryable: false,
  });
}
