import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

@Entity('recipe')
export class RecipeEntity {
  /** `rcp-<uuid>` */
  @PrimaryColumn('text') id: string;
  @Column('text', { name: 'owner_id' }) ownerId: string;
  @Column('text') name: string;
  @Column('text', { name: 'template_id', nullable: true }) templateId: string | null;
  /** A whole, valid recipe; passwords are hashes. */
  @Column('jsonb') document: Record<string, unknown>;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt: Date;
  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' }) updatedAt: Date;
}
