import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** Somebody signed in, on one device: the session that tokens are of. */
@Entity('sign_in')
export class SignInEntity {
  @PrimaryGeneratedColumn('uuid') id: string;
  @Column('uuid', { name: 'account_id' }) accountId: string;
  /** How often the refresh token was exchanged; only the token of this count is good. */
  @Column('integer', { name: 'refresh_count', default: 0 }) refreshCount: number;
  @Column('timestamptz', { name: 'refreshed_at', default: () => 'now()' }) refreshedAt: Date;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  @Column('text') address: string;
  @Column('text', { name: 'user_agent' }) userAgent: string;
}
