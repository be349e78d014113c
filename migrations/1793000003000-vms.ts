import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Vms1793000003000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE build ADD COLUMN image_id text');
    await queryRunner.query('CREATE INDEX build_image ON build (image_sha256) WHERE image_sha256 IS NOT NULL');
    await queryRunner.query('CREATE TABLE vm_host (id uuid PRIMARY KEY, seen_at timestamptz NOT NULL)');
    await queryRunner.query(`
      CREATE TABLE vm (
        id uuid PRIMARY KEY,
        owner_id text NOT NULL,
        name text NOT NULL,
        build_id uuid NOT NULL,
        image_sha256 text NOT NULL,
        image_key text NOT NULL,
        persistence_label text NOT NULL,
        memory_mb integer NOT NULL,
        vcpus integer NOT NULL,
        network text NOT NULL,
        state text NOT NULL,
        reason text,
        error jsonb,
        host uuid NOT NULL REFERENCES vm_host,
        slot integer NOT NULL,
        boot text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        last_used_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        CONSTRAINT vm_owner_name UNIQUE (owner_id, name),
        CONSTRAINT vm_host_slot UNIQUE (host, slot)
      )`);
    await queryRunner.query('CREATE INDEX vm_expires_at ON vm (expires_at) WHERE expires_at IS NOT NULL');
    await queryRunner.query(`
      CREATE TABLE vm_disk_snapshot (
        vm_id uuid NOT NULL REFERENCES vm ON DELETE CASCADE,
        name text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (vm_id, name)
      )`);
    await queryRunner.query(`
      CREATE TABLE vm_snapshot (
        host uuid NOT NULL REFERENCES vm_host,
        key text NOT NULL,
        owner_id text NOT NULL,
        image_sha256 text NOT NULL,
        size_bytes bigint NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (host, key)
      )`);
    await queryRunner.query(`
      CREATE TABLE vm_boot (
        host uuid NOT NULL REFERENCES vm_host,
        kind text NOT NULL,
        image_sha256 text NOT NULL,
        seconds double precision NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      )`);
    await queryRunner.query('CREATE INDEX vm_boot_recent ON vm_boot (host, kind, at DESC)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['vm_boot', 'vm_snapshot', 'vm_disk_snapshot', 'vm', 'vm_host'])
      await queryRunner.query(`DROP TABLE ${table}`);
    await queryRunner.query('DROP INDEX build_image');
    await queryRunner.query('ALTER TABLE build DROP COLUMN image_id');
  }
}
