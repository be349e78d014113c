import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

@Entity('mcp_key')
export class McpKeyEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'account_id' }) accountId: string;
  @Column('text') name: string;
  @Column('text') prefix: string;
  /** HMAC-SHA256 in hex (KeyHasher). Looked up by, never read. */
  @Column('text', { name: 'key_hash', select: false }) keyHash: string;
  /** Null: all toolsets, also those that the product gets later. */
  @Column('text', { array: true, nullable: true }) toolsets: string[] | null;
  @Column('boolean', { name: 'read_only' }) readOnly: boolean;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt: Date | null;
  /** Up to a few seconds late (KeyUsage). */
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt: Date | null;
  @Column('text', { name: 'last_used_from', nullable: true }) lastUsedFrom: string | null;
}
