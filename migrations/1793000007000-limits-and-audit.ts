import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LimitsAndAudit1793000007000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // What RateLimiterPostgres (rate-limiter-flexible) would create itself. Unlogged: counts of one minute need not survive a crash.
    await queryRunner.query(
      'CREATE UNLOGGED TABLE rate_limit (key text PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint)',
    );
    await queryRunner.query('CREATE INDEX rate_limit_expire ON rate_limit (expire)');
    await queryRunner.query(`
      CREATE TABLE audit_entry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        caller_kind text,
        owner_id text,
        principal_id text,
        key_id uuid,
        address text,
        edge text,
        action text NOT NULL,
        object text,
        result text NOT NULL,
        request_id text
      )`);
    await queryRunner.query('CREATE INDEX audit_entry_at ON audit_entry (at)');
    await queryRunner.query('CREATE INDEX audit_entry_owner ON audit_entry (owner_id, id)');
    await queryRunner.query('CREATE INDEX audit_entry_object ON audit_entry (object, id)');
    await queryRunner.query(`
      CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_entry is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await queryRunner.query(
      'CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()',
    );
    // Where session_replication_role is replica, ordinary triggers stay silent.
    await queryRunner.query('ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_append_only');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE audit_entry');
    await queryRunner.query('DROP FUNCTION refuse_audit_change');
    await queryRunner.query('DROP TABLE rate_limit');
  }
}
