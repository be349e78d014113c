import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { StageName } from './pipeline/build-pipeline.port.js';

@Entity('build_stage')
export class BuildStageEntity {
  @PrimaryColumn('uuid', { name: 'build_id' }) buildId: string;
  @PrimaryColumn('text') stage: StageName;
  @Column('double precision', { nullable: true }) seconds: number | null;
  @Column('boolean', { name: 'from_cache', nullable: true }) fromCache: boolean | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt: Date | null;
}
