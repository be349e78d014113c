import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('package_index')
export class PackageIndexEntity {
  @PrimaryColumn('text') base: string;
  @PrimaryColumn('text') name: string;
  @Column('text') version: string;
  @Column('text', { array: true }) versions: string[];
  @Column('text', { array: true }) depends: string[];
  @Column('text', { array: true }) provides: string[];
  @Column('text', { array: true }) requires: string[];
  @Column('text', { array: true }) conflicts: string[];
  @Column('boolean') essential: boolean;
  @Column('bigint', { name: 'download_bytes' }) downloadBytes: string;
  @Column('bigint', { name: 'installed_bytes' }) installedBytes: string;
}

@Entity('package_index_state')
export class PackageIndexStateEntity {
  @PrimaryColumn('text') base: string;
  @Column('text') architecture: string;
  @Column('integer', { name: 'package_count' }) packageCount: number;
  @Column('timestamptz', { name: 'refreshed_at' }) refreshedAt: Date;
}
