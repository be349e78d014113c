import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, In, type EntityManager } from 'typeorm';
import { isUuid, notFound, type AppError } from '#libs/platform';
import { BuildArtifactEntity } from './build-artifact.entity.js';
import { BuildStageEntity } from './build-stage.entity.js';
import {
  unfinishedStatuses,
  type Build,
  type BuildArtifact,
  type BuildStageRun,
  type BuildStatus,
  type TypicalSeconds,
} from './build.js';
import { BuildEntity } from './build.entity.js';
import type { BuildRun } from './build-minutes.js';
import type { StageName } from './pipeline/build-pipeline.port.js';

export interface NewBuild {
  ownerId: string;
  name: string;
  recipe: Record<string, unknown>;
  recipeId: string | null;
  retryOf: string | null;
}

/** One answer for an unknown id, another's id and what is no id at all. */
export const buildNotFound = (id: string): AppError => notFound('build', id, 'list_builds shows your builds.');

/** Builds as their owners see them. Every query names the owner; what workers write is in build-run.repository.ts. */
@Injectable()
export class BuildRepository {
  constructor(private readonly database: DataSource) {}

  async list(
    ownerId: string,
    status: BuildStatus | undefined,
    limit: number,
  ): Promise<{ builds: Build[]; total: number }> {
    const [builds, total] = await this.database.getRepository(BuildEntity).findAndCount({
      where: { ownerId, ...(status && { status }) },
      order: { createdAt: 'DESC', id: 'ASC' },
      take: limit,
    });
    return { builds, total };
  }

  /** @throws AppError `build_not_found` */
  async get(ownerId: string, id: string): Promise<Build> {
    const found = isUuid(id) ? await this.database.getRepository(BuildEntity).findOneBy({ ownerId, id }) : null;
    if (!found) throw buildNotFound(id);
    return found;
  }

  /** Until the transaction ends, nobody else changes it. @throws AppError `build_not_found` */
  async getLocked(manager: EntityManager, ownerId: string, id: string): Promise<Build> {
    const found = isUuid(id)
      ? await manager.findOne(BuildEntity, { where: { ownerId, id }, lock: { mode: 'pessimistic_write' } })
      : null;
    if (!found) throw buildNotFound(id);
    return found;
  }

  /** Until the transaction ends, no other build of this owner is admitted, so that counts hold. */
  async lockAdmission(manager: EntityManager, ownerId: string): Promise<void> {
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`build ${ownerId}`]);
  }

  async countUnfinished(manager: EntityManager, ownerId: string): Promise<number> {
    return await manager.countBy(BuildEntity, { ownerId, status: In(unfinishedStatuses) });
  }

  /** What the recipes and logs of this owner's builds take, as they are stored. */
  async recordBytes(manager: EntityManager, ownerId: string): Promise<number> {
    const [row] = await manager.query<{ bytes: string | null }[]>(
      'SELECT sum(pg_column_size(recipe) + log_bytes) AS bytes FROM build WHERE owner_id = $1',
      [ownerId],
    );
    return Number(row?.bytes ?? 0);
  }

  /** When this owner's builds ran in the last 24 hours, by the clock of the database; those that were deleted too. */
  async runsWithinDay(manager: EntityManager, ownerId: string): Promise<BuildRun[]> {
    const rows = await manager.query<Record<'from' | 'to', string>[]>(
      `SELECT extract(epoch FROM now() - started_at) AS "from", extract(epoch FROM now() - coalesce(finished_at, now())) AS "to"
       FROM (SELECT owner_id, started_at, finished_at FROM build UNION ALL SELECT owner_id, started_at, finished_at FROM spent_build_time) AS run
       WHERE owner_id = $1 AND started_at IS NOT NULL AND (finished_at IS NULL OR finished_at > now() - interval '24 hours')`,
      [ownerId],
    );
    return rows.map(({ from, to }) => ({ from: Number(from), to: Number(to) }));
  }

  /** What the files of this owner's builds take. */
  async artifactBytes(manager: EntityManager, ownerId: string): Promise<number> {
    const [row] = await manager.query<{ bytes: string | null }[]>(
      'SELECT sum(size_bytes) AS bytes FROM build_artifact JOIN build ON build.id = build_id WHERE owner_id = $1',
      [ownerId],
    );
    return Number(row?.bytes ?? 0);
  }

  /** @returns the new build and the lease that its job must show */
  async insert(manager: EntityManager, build: NewBuild): Promise<{ build: Build; leaseId: string }> {
    const id = randomUUID();
    const leaseId = randomUUID();
    const now = new Date();
    await manager.insert(BuildEntity, {
      ...build,
      id,
      leaseId,
      status: 'pending',
      progress: 0,
      fencingToken: 0,
      crashes: 0,
      logBytes: 0,
      createdAt: now,
      updatedAt: now,
    } as object);
    return { build: await manager.findOneByOrFail(BuildEntity, { id }), leaseId };
  }

  async cancelPending(manager: EntityManager, id: string): Promise<void> {
    await manager.query(
      "UPDATE build SET status = 'cancelled', cancel_requested_at = now(), finished_at = now(), updated_at = now() WHERE id = $1 AND status = 'pending'",
      [id],
    );
  }

  async requestCancel(manager: EntityManager, id: string): Promise<void> {
    await manager.query(
      'UPDATE build SET cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now() WHERE id = $1',
      [id],
    );
  }

  /** The time that it took stays: else deleting would be a way around the minutes of a day. */
  async delete(manager: EntityManager, id: string): Promise<void> {
    await manager.query("DELETE FROM spent_build_time WHERE finished_at < now() - interval '24 hours'");
    await manager.query(
      'INSERT INTO spent_build_time (owner_id, started_at, finished_at) SELECT owner_id, started_at, finished_at FROM build WHERE id = $1 AND started_at IS NOT NULL AND finished_at IS NOT NULL',
      [id],
    );
    await manager.delete(BuildEntity, { id });
  }

  async stages(buildId: string): Promise<BuildStageRun[]> {
    return await this.database
      .getRepository(BuildStageEntity)
      .find({ where: { buildId }, order: { startedAt: 'ASC' } });
  }

  async artifacts(buildId: string): Promise<BuildArtifact[]> {
    return await this.database.getRepository(BuildArtifactEntity).find({ where: { buildId }, order: { name: 'ASC' } });
  }

  /** For the holder of a signed URL, who need not be the owner. */
  async findArtifact(buildId: string, id: string): Promise<BuildArtifact | null> {
    return await this.database.getRepository(BuildArtifactEntity).findOneBy({ id, buildId });
  }

  /** Of these images (sha256), those that builds keep. */
  async keptImages(sha256s: string[]): Promise<{ ownerId: string; sha256: string }[]> {
    return await this.database.query<{ ownerId: string; sha256: string }[]>(
      `SELECT DISTINCT build.owner_id AS "ownerId", build.image_sha256 AS sha256 FROM build
       WHERE build.image_sha256 = ANY($1) AND EXISTS (SELECT 1 FROM build_artifact WHERE build_artifact.build_id = build.id AND build_artifact.sha256 = build.image_sha256)`,
      [sha256s],
    );
  }

  /** How many builds the queue holds before this one. */
  async queuedBefore(build: Build): Promise<number> {
    const [row] = await this.database.query<{ count: string }[]>(
      "SELECT count(*) FROM build WHERE status = 'pending' AND (created_at, id) < (SELECT created_at, id FROM build WHERE id = $1)",
      [build.id],
    );
    return Number(row?.count ?? 0);
  }

  /** Median of the last runs of each stage, of all builds of the factory; what came from the cache counts as it was. */
  async typicalSeconds(): Promise<TypicalSeconds> {
    const rows = await this.database.query<{ stage: StageName; seconds: number }[]>(
      `SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds
       FROM (SELECT stage, seconds, row_number() OVER (PARTITION BY stage ORDER BY finished_at DESC) AS age FROM build_stage WHERE finished_at > now() - interval '30 days') recent
       WHERE age <= 20 GROUP BY stage`,
    );
    return Object.fromEntries(rows.map(({ stage, seconds }) => [stage, Number(seconds)]));
  }
}
