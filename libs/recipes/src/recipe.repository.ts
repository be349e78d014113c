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

/** The recipes that callers own. Every query names the owner. */
@Injectable()
export class RecipeRepository {
  constructor(private readonly database: DataSource) {}

  async list(ownerId: string): Promise<RecipeEntity[]> {
    return await this.database.getRepository(RecipeEntity).find({ where: { ownerId }, order: { createdAt: 'DESC', id: 'ASC' }, take: mostRecipesPerCaller });
  }

  async find(ownerId: string, id: string): Promise<RecipeEntity | null> {
    return await this.database.getRepository(RecipeEntity).findOneBy({ ownerId, id });
  }

  /** Before work is done that a full store would throw away. @throws AppError `recipe_quota` */
  async checkRoom(ownerId: string): Promise<void> {
    if ((await this.database.getRepository(RecipeEntity).countBy({ ownerId })) >= mostRecipesPerCaller) throw quotaReached();
  }

  /** @throws AppError `recipe_name_taken`, `recipe_quota` */
  async insert(manager: EntityManager, recipe: NewRecipe): Promise<RecipeEntity> {
    // One insert of an owner at a time, so that the count holds.
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`recipe ${recipe.ownerId}`]);
    if ((await manager.countBy(RecipeEntity, { ownerId: recipe.ownerId })) >= mostRecipesPerCaller) throw quotaReached();
    try {
      return await manager.save(RecipeEntity, { ...recipe, id: `rcp-${randomUUID()}` });
    } catch (error) {
      if (error instanceof QueryFailedError && (error.driverError as { constraint?: string }).constraint === 'recipe_owner_name') throw nameTaken(recipe.name);
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
  return new AppError({ kind: 'conflict', reason: 'recipe_name_taken', message: `You already have a recipe named "${name}".`, hint: 'Choose another name, or delete the old recipe first.' });
}

function quotaReached(): AppError {
  return new AppError({ kind: 'quota', reason: 'recipe_quota', message: `You have ${mostRecipesPerCaller} recipes, which is the most.`, hint: 'Delete recipes that you no longer need.', retryable: false });
}
