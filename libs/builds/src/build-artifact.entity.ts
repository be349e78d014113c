import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './build.entity.js';

@Entity('build_artifact')
export class BuildArtifactEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'build_id' }) buildId: string;
  @Column('text') name: string;
  @Column('text', { name: 'media_type' }) mediaType: string;
  @Column('bigint', { name: 'size_bytes', transformer: asNumber }) sizeBytes: number;
  @Column('text') sha256: string;
  /** What the ArtifactStore calls it. */
  @Column('text', { name: 'store_key' }) storeKey: string;
}
