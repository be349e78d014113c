import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Columns by the terms of the field: a lease, a fencing token, an index into subordinate ids. */
export class FieldTerms1793000011000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE build RENAME COLUMN ticket TO lease_id');
    await queryRunner.query('ALTER TABLE build RENAME COLUMN attempt TO fencing_token');
    await queryRunner.query('ALTER TABLE vm RENAME COLUMN slot TO uid_index');
    await queryRunner.query('ALTER TABLE vm RENAME CONSTRAINT vm_host_slot TO vm_host_uid_index');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE vm RENAME CONSTRAINT vm_host_uid_index TO vm_host_slot');
    await queryRunner.query('ALTER TABLE vm RENAME COLUMN uid_index TO slot');
    await queryRunner.query('ALTER TABLE build RENAME COLUMN fencing_token TO attempt');
    await queryRunner.query('ALTER TABLE build RENAME COLUMN lease_id TO ticket');
  }
}
