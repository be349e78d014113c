import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Builds1793000002000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE build (
        id uuid PRIMARY KEY,
        owner_id text NOT NULL,
        name text NOT NULL,
        recipe jsonb NOT NULL,
        recipe_id text,
        retry_of uuid,
        status text NOT NULL,
        stage text,
        progress integer NOT NULL DEFAULT 0,
        error jsonb,
        image_sha256 text,
        verified boolean,
        cancel_requested_at timestamptz,
        ticket uuid NOT NULL,
        attempt integer NOT NULL DEFAULT 0,
        crashes integer NOT NULL DEFAULT 0,
        log_bytes bigint NOT NULL DEFAULT 0,
        artifacts_deleted_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        finished_at timestamptz
      )`);
    await queryRunner.query('CREATE INDEX build_owner ON build (owner_id, created_at DESC)');
    await queryRunner.query(
      "CREATE INDEX build_unfinished ON build (owner_id, created_at) WHERE status IN ('pending', 'building', 'testing')",
    );
    await queryRunner.query('CREATE INDEX build_finished_at ON build (finished_at) WHERE artifacts_deleted_at IS NULL');
    await queryRunner.query(`
      CREATE TABLE build_stage (
        build_id uuid NOT NULL REFERENCES build ON DELETE CASCADE,
        stage text NOT NULL,
        seconds double precision,
        from_cache boolean,
        started_at timestamptz NOT NULL,
        finished_at timestamptz,
        PRIMARY KEY (build_id, stage)
      )`);
    await queryRunner.query(
      'CREATE INDEX build_stage_finished ON build_stage (stage, finished_at DESC) WHERE finished_at IS NOT NULL',
    );
    await queryRunner.query(`
      CREATE TABLE build_artifact (
        id uuid PRIMARY KEY,
        build_id uuid NOT NULL REFERENCES build ON DELETE CASCADE,
        name text NOT NULL,
        media_type text NOT NULL,
        size_bytes bigint NOT NULL,
        sha256 text NOT NULL,
        store_key text NOT NULL,
        CONSTRAINT build_artifact_name UNIQUE (build_id, name)
      )`);
    await queryRunner.query(`
      CREATE TABLE build_log (
        build_id uuid NOT NULL REFERENCES build ON DELETE CASCADE,
        first_byte bigint NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (build_id, first_byte)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['build_log', 'build_artifact', 'build_stage', 'build'])
      await queryRunner.query(`DROP TABLE ${table}`);
  }
}
