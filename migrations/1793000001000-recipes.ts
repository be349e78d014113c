import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Recipes1793000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE package_index (
        base text NOT NULL,
        name text NOT NULL,
        version text NOT NULL,
        versions text[] NOT NULL,
        depends text[] NOT NULL,
        provides text[] NOT NULL,
        essential boolean NOT NULL,
        download_bytes bigint NOT NULL,
        installed_bytes bigint NOT NULL,
        PRIMARY KEY (base, name)
      )`);
    await queryRunner.query('CREATE INDEX package_index_essential ON package_index (base) WHERE essential');
    await queryRunner.query(`
      CREATE TABLE package_index_state (
        base text PRIMARY KEY,
        architecture text NOT NULL,
        package_count integer NOT NULL,
        refreshed_at timestamptz NOT NULL
      )`);
    await queryRunner.query(`
      CREATE TABLE recipe (
        id text PRIMARY KEY,
        owner_id text NOT NULL,
        name text NOT NULL,
        template_id text,
        document jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT recipe_owner_name UNIQUE (owner_id, name)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE recipe');
    await queryRunner.query('DROP TABLE package_index_state');
    await queryRunner.query('DROP TABLE package_index');
  }
}
