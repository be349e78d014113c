import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PackageConflicts1793000009000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      "ALTER TABLE package_index ADD COLUMN requires text[] NOT NULL DEFAULT '{}', ADD COLUMN conflicts text[] NOT NULL DEFAULT '{}'",
    );
    // An index that was loaded before knows no conflicts: it is due again.
    await queryRunner.query("UPDATE package_index_state SET refreshed_at = 'epoch'");
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE package_index DROP COLUMN requires, DROP COLUMN conflicts');
  }
}
