import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Role } from '../accounts/role.js';

/** setup: makes the first administrator. invitation: makes an account. reset: sets a password. confirm: makes the account that was asked for. */
export const linkKinds = ['setup', 'invitation', 'reset', 'confirm'] as const;
export type LinkKind = (typeof linkKinds)[number];

/** A link that does one thing once. Its token is not stored: it is signed (AccountLinks). */
@Entity('account_link')
export class AccountLinkEntity {
  @PrimaryGeneratedColumn('uuid') id: string;
  @Column('text') kind: LinkKind;
  /** Of an invitation: the only address it is for, if any. Of a confirmation: the address that it proves. */
  @Column('text', { nullable: true }) email: string | null;
  @Column('text') role: Role;
  /** Of a reset. */
  @Column('uuid', { name: 'account_id', nullable: true }) accountId: string | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  @Column('timestamptz', { name: 'used_at', nullable: true }) usedAt: Date | null;
}
