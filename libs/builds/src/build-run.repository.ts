import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { EventBus } from '#libs/platform';
import { BuildArtifactEntity } from './build-artifact.entity.js';
import {
  claimableStatuses,
  isFinal,
  type Build,
  type BuildArtifact,
  type BuildError,
  type BuildStatus,
} from './build.js';
import { BuildEntity } from './build.entity.js';
import { stageNames, type StageName } from './pipeline/build-pipeline.port.js';

/** One worker's right to run a build. Whatever it writes is void once another has claimed the build. */
export interface Claim {
  build: Build;
  fencingToken: number;
  /** How often a worker died over this build. */
  crashes: number;
}

export interface BuildEnd {
  status: Extract<BuildStatus, 'completed' | 'failed' | 'cancelled'>;
  error?: BuildError;
  imageSha256?: string;
  imageId?: string;
  verified?: boolean;
  artifacts?: Omit<BuildArtifact, 'buildId'>[];
}

export interface Release {
  fencingToken?: number;
  workerDied?: boolean;
}

/** What the row says to the worker that runs the build. */
export type ClaimState = 'held' | 'cancel' | 'lost';

export const buildQueue = 'build.run';
/** After so many deaths of its worker a build counts as what kills it. */
export const mostCrashes = 3;

/** Builds as workers write them. */
@Injectable()
export class BuildRunRepository {
  constructor(
    private readonly database: DataSource,
    private readonly events: EventBus,
  ) {}

  /** @returns undefined where there is nothing to run: ended, cancelled, deleted, or the lease is not the current one */
  async claim(id: string, leaseId: string): Promise<Claim | undefined> {
    return await this.database.transaction(async (manager) => {
      const build = await manager.findOne(BuildEntity, { where: { id, leaseId }, lock: { mode: 'pessimistic_write' } });
      if (!build || isFinal(build.status)) return undefined;
      const fencingToken = build.fencingToken + 1;
      const crashes = build.crashes + (build.status === 'pending' ? 0 : 1);
      await manager.query(
        "UPDATE build SET status = 'building', fencing_token = $2, crashes = $3, started_at = coalesce(started_at, now()), updated_at = now() WHERE id = $1",
        [id, fencingToken, crashes],
      );
      await this.tell(manager, id);
      return { build: { ...build, status: 'building' }, fencingToken, crashes };
    });
  }

  async stageStarted({ build, fencingToken }: Claim, stage: StageName, progress: number): Promise<ClaimState> {
    return await this.database.transaction(async (manager) => {
      const status: BuildStatus = stageNames.indexOf(stage) < stageNames.indexOf('boot') ? 'building' : 'testing';
      const sql =
        'UPDATE build SET stage = $3, status = $4, progress = greatest(progress, $5), updated_at = now() WHERE id = $1 AND fencing_token = $2 RETURNING cancel_requested_at';
      const [rows] = await manager.query<[{ cancel_requested_at: Date | null }[], number]>(sql, [
        build.id,
        fencingToken,
        stage,
        status,
        progress,
      ]);
      if (!rows[0]) return 'lost';
      await manager.query(
        `INSERT INTO build_stage (build_id, stage, started_at) VALUES ($1, $2, now())
         ON CONFLICT (build_id, stage) DO UPDATE SET started_at = now(), finished_at = NULL, seconds = NULL, from_cache = NULL`,
        [build.id, stage],
      );
      await this.tell(manager, build.id);
      return rows[0].cancel_requested_at ? 'cancel' : 'held';
    });
  }

  async stageFinished(
    { build, fencingToken }: Claim,
    stage: StageName,
    { seconds, fromCache, progress }: { seconds: number; fromCache: boolean; progress: number },
  ): Promise<ClaimState> {
    return await this.database.transaction(async (manager) => {
      const claimState = await this.write(manager, build.id, fencingToken, progress);
      if (claimState !== 'lost')
        await manager.query(
          'UPDATE build_stage SET finished_at = now(), seconds = $3, from_cache = $4 WHERE build_id = $1 AND stage = $2',
          [build.id, stage, seconds, fromCache],
        );
      return claimState;
    });
  }

  async progress({ build, fencingToken }: Claim, progress: number): Promise<ClaimState> {
    return await this.write(this.database.manager, build.id, fencingToken, progress);
  }

  /** @returns whether the claim still held; if not, nothing is written */
  async finish({ build, fencingToken }: Claim, end: BuildEnd): Promise<boolean> {
    return await this.database.transaction(async (manager) => {
      const sql = `UPDATE build SET status = $3, error = $4, image_sha256 = $5, image_id = $8, verified = $6, progress = CASE WHEN $3 = 'completed' THEN 100 ELSE progress END, finished_at = now(), updated_at = now()
                   WHERE id = $1 AND fencing_token = $2 AND status = ANY($7)`;
      const values = [
        build.id,
        fencingToken,
        end.status,
        end.error ? JSON.stringify(end.error) : null,
        end.imageSha256 ?? null,
        end.verified ?? null,
        claimableStatuses,
        end.imageId ?? null,
      ];
      const [, changed] = await manager.query<[unknown[], number]>(sql, values);
      if (!changed) return false;
      if (end.artifacts?.length)
        await manager.insert(
          BuildArtifactEntity,
          end.artifacts.map((artifact) => ({ ...artifact, buildId: build.id })),
        );
      await this.tell(manager, build.id);
      return true;
    });
  }

  /**
   * Makes a build wait again: with `fencingToken`, only if that is still its latest; with `workerDied`, a death is counted where one ran it.
   * @returns the lease of its next job; undefined where the build is not this claim's any more
   */
  async release(
    manager: EntityManager,
    id: string,
    { fencingToken, workerDied = false }: Release,
  ): Promise<string | undefined> {
    const leaseId = randomUUID();
    const sql = `UPDATE build SET crashes = crashes + CASE WHEN $5 AND status <> 'pending' THEN 1 ELSE 0 END, status = 'pending', stage = NULL, lease_id = $2, fencing_token = fencing_token + 1, updated_at = now()
                 WHERE id = $1 AND ($3::integer IS NULL OR fencing_token = $3) AND status = ANY($4)`;
    const [, changed] = await manager.query<[unknown[], number]>(sql, [
      id,
      leaseId,
      fencingToken ?? null,
      claimableStatuses,
      workerDied,
    ]);
    if (!changed) return undefined;
    await this.tell(manager, id);
    return leaseId;
  }

  /** Unfinished builds that no job will ever run, or none but one in these states. pg-boss keeps its jobs in the same database. */
  async withoutJob(states = ['created', 'retry', 'active']): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `SELECT id FROM build WHERE status = ANY($1) AND NOT EXISTS (
         SELECT 1 FROM pgboss.job WHERE job.name = $2 AND job.state::text = ANY($3) AND job.data->>'build_id' = build.id::text AND job.data->>'lease_id' = build.lease_id::text)`,
      [claimableStatuses, buildQueue, states],
    );
    return rows.map(({ id }) => id);
  }

  /** Of these builds, those that somebody wants cancelled. */
  async cancelRequested(ids: string[]): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      'SELECT id FROM build WHERE id = ANY($1) AND cancel_requested_at IS NOT NULL',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  /** Builds that ended before `days` ago and whose artifacts are still kept. */
  async expired(days: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      "SELECT id FROM build WHERE artifacts_deleted_at IS NULL AND finished_at < now() - $1 * interval '1 day' ORDER BY finished_at LIMIT 1000",
      [days],
    );
    return rows.map(({ id }) => id);
  }

  async forgetArtifacts(id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.delete(BuildArtifactEntity, { buildId: id });
      await manager.query('UPDATE build SET artifacts_deleted_at = now() WHERE id = $1', [id]);
    });
  }

  /** Of these ids, those of builds that exist. */
  async existing(ids: string[]): Promise<Set<string>> {
    const rows = await this.database.query<{ id: string }[]>('SELECT id FROM build WHERE id = ANY($1)', [ids]);
    return new Set(rows.map(({ id }) => id));
  }

  private async write(manager: EntityManager, id: string, fencingToken: number, progress: number): Promise<ClaimState> {
    const sql =
      'UPDATE build SET progress = greatest(progress, $3), updated_at = now() WHERE id = $1 AND fencing_token = $2 RETURNING cancel_requested_at';
    const [rows] = await manager.query<[{ cancel_requested_at: Date | null }[], number]>(sql, [
      id,
      fencingToken,
      progress,
    ]);
    if (!rows[0]) return 'lost';
    await this.tell(manager, id);
    return rows[0].cancel_requested_at ? 'cancel' : 'held';
  }

  private async tell(manager: EntityManager, id: string): Promise<void> {
    await this.events.publish((sql, values) => manager.query(sql, values), 'build.changed', id);
  }
}
