import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Role } from './role.js';

@Entity('account')
export class AccountEntity {
  @PrimaryGeneratedColumn('uuid') id: string;
  /** As normaliseEmail writes it; unique. */
  @Column('text') email: string;
  /** argon2id, or a hash that no password has (unmatchableHash). */
  @Column('text', { name: 'password_hash' }) passwordHash: string;
  @Column('text') role: Role;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'disabled_at', nullable: true }) disabledAt: Date | null;
  @Column('timestamptz', { name: 'last_signed_in_at', nullable: true }) lastSignedInAt: Date | null;
}
