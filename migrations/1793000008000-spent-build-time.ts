import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SpentBuildTime1793000008000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // When builds ran that are deleted by now: their minutes count for a day all the same.
    await queryRunner.query(
      'CREATE TABLE spent_build_time (owner_id text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL)',
    );
    await queryRunner.query('CREATE INDEX spent_build_time_owner ON spent_build_time (owner_id)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE spent_build_time');
  }
}
