import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('vm_disk_snapshot')
export class VmDiskSnapshotEntity {
  @PrimaryColumn('uuid', { name: 'vm_id' }) vmId: string;
  @PrimaryColumn('text') name: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}
