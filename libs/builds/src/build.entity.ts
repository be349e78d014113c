import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { BuildError, BuildStatus } from './build.js';
import type { StageName } from './pipeline/build-pipeline.port.js';

/** bigint comes as text; sizes of builds fit a number. */
export const asNumber = { to: (value: number) => value, from: (value: string) => Number(value) };

@Entity('build')
export class BuildEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'owner_id' }) ownerId: string;
  @Column('text') name: string;
  /** A prepared recipe: valid, whole, passwords are hashes. */
  @Column('jsonb') recipe: Record<string, unknown>;
  @Column('text', { name: 'recipe_id', nullable: true }) recipeId: string | null;
  @Column('uuid', { name: 'retry_of', nullable: true }) retryOf: string | null;
  @Column('text') status: BuildStatus;
  @Column('text', { nullable: true }) stage: StageName | null;
  @Column('integer') progress: number;
  @Column('jsonb', { nullable: true }) error: BuildError | null;
  @Column('text', { name: 'image_sha256', nullable: true }) imageSha256: string | null;
  @Column('text', { name: 'image_id', nullable: true }) imageId: string | null;
  @Column('boolean', { nullable: true }) verified: boolean | null;
  @Column('timestamptz', { name: 'cancel_requested_at', nullable: true }) cancelRequestedAt: Date | null;
  /** Names the one job that may run this build; an older job of it is void. */
  @Column('uuid', { name: 'lease_id' }) leaseId: string;
  /** How often it was claimed; fences a worker that was given up. */
  @Column('integer', { name: 'fencing_token' }) fencingToken: number;
  /** How often its worker died. */
  @Column('integer') crashes: number;
  @Column('bigint', { name: 'log_bytes', transformer: asNumber }) logBytes: number;
  @Column('timestamptz', { name: 'artifacts_deleted_at', nullable: true }) artifactsDeletedAt: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt: Date | null;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt: Date | null;
}
