import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Identity1793000005000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE account (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        email text NOT NULL CONSTRAINT account_email UNIQUE,
        password_hash text NOT NULL,
        role text NOT NULL DEFAULT 'user',
        created_at timestamptz NOT NULL DEFAULT now(),
        disabled_at timestamptz,
        last_signed_in_at timestamptz
      )`);
    await queryRunner.query(`
      CREATE TABLE sign_in (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
        refresh_count integer NOT NULL DEFAULT 0,
        refreshed_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        ended_at timestamptz,
        address text NOT NULL,
        user_agent text NOT NULL
      )`);
    await queryRunner.query('CREATE INDEX sign_in_account ON sign_in (account_id)');
    await queryRunner.query(`
      CREATE TABLE account_link (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        kind text NOT NULL,
        email text,
        role text NOT NULL DEFAULT 'user',
        account_id uuid REFERENCES account ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    // Columns and their order are what RateLimiterPostgres of rate-limiter-flexible expects.
    await queryRunner.query(`
      CREATE TABLE guess_limit (
        key varchar(255) PRIMARY KEY,
        points integer NOT NULL DEFAULT 0,
        expire bigint
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['guess_limit', 'account_link', 'sign_in', 'account'])
      await queryRunner.query(`DROP TABLE ${table}`);
  }
}
