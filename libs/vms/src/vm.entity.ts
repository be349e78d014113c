import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { GuestNetwork } from '#libs/hypervisor';
import type { BootKind, VmError, VmReason, VmState } from './vm.js';

@Entity('vm')
export class VmEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'owner_id' }) ownerId: string;
  @Column('text') name: string;
  @Column('uuid', { name: 'build_id' }) buildId: string;
  @Column('text', { name: 'image_sha256' }) imageSha256: string;
  @Column('text', { name: 'image_key' }) imageKey: string;
  @Column('text', { name: 'persistence_label' }) persistenceLabel: string;
  @Column('integer', { name: 'memory_mb' }) memoryMb: number;
  @Column('integer') vcpus: number;
  @Column('text') network: GuestNetwork;
  @Column('text') state: VmState;
  @Column('text', { nullable: true }) reason: VmReason | null;
  @Column('jsonb', { nullable: true }) error: VmError | null;
  @Column('uuid') host: string;
  @Column('integer', { name: 'uid_index' }) uidIndex: number;
  @Column('text', { nullable: true }) boot: BootKind | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt: Date | null;
  @Column('timestamptz', { name: 'last_used_at' }) lastUsedAt: Date;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
}
