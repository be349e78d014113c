import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is old enough may be forgotten, by one function and nothing else; the rest stays append-only. */
export class AuditRetention1793000010000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // By the statement for what no function of ours does; a DELETE is looked at row by row as well.
    await queryRunner.query(`
      CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'DELETE' AND current_setting('openfactory.forgets_audit', true) = 'on' THEN RETURN NULL; END IF;
        RAISE EXCEPTION 'audit_entry is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await queryRunner.query(`
      CREATE FUNCTION refuse_young_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.at < now() - interval '30 days' THEN RETURN OLD; END IF;
        RAISE EXCEPTION 'audit_entry is append-only: DELETE of what is younger than 30 days is refused' USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await queryRunner.query(
      'CREATE TRIGGER audit_entry_keeps_young BEFORE DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_young_audit_change()',
    );
    await queryRunner.query('ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_keeps_young');
    await queryRunner.query(`
      CREATE FUNCTION forget_audit_entries(days integer, most integer) RETURNS bigint LANGUAGE plpgsql SET openfactory.forgets_audit = 'on' AS $$
      DECLARE forgotten bigint;
      BEGIN
        DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry WHERE at < now() - make_interval(days => days) ORDER BY at LIMIT most);
        GET DIAGNOSTICS forgotten = ROW_COUNT;
        RETURN forgotten;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP FUNCTION forget_audit_entries');
    await queryRunner.query('DROP TRIGGER audit_entry_keeps_young ON audit_entry');
    await queryRunner.query('DROP FUNCTION refuse_young_audit_change');
    await queryRunner.query(`
      CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_entry is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
      END $$`);
  }
}
