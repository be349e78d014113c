import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './build.entity.js';

/** A piece of a build's log: whole lines. */
@Entity('build_log')
export class BuildLogEntity {
  @PrimaryColumn('uuid', { name: 'build_id' }) buildId: string;
  @PrimaryColumn('bigint', { name: 'first_byte', transformer: asNumber }) firstByte: number;
  @Column('bytea') content: Buffer;
}
