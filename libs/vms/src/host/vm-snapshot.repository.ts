import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** A saved state that clones start from. Its files are in a directory of its key. */
export interface VmSnapshot {
  key: string;
  ownerId: string;
  imageSha256: string;
  sizeBytes: number;
}

/** What VM snapshots there are, and which was used when. */
@Injectable()
export class VmSnapshotRepository {
  constructor(private readonly database: DataSource) {}

  /** Of a host, the most recently used first. */
  async list(host: string): Promise<VmSnapshot[]> {
    const rows = await this.database.query<(Omit<VmSnapshot, 'sizeBytes'> & { size: string })[]>(
      'SELECT key, owner_id AS "ownerId", image_sha256 AS "imageSha256", size_bytes AS size FROM vm_snapshot WHERE host = $1 ORDER BY last_used_at DESC, key',
      [host],
    );
    return rows.map(({ size, ...row }) => ({ ...row, sizeBytes: Number(size) }));
  }

  async insert(host: string, { key, ownerId, imageSha256, sizeBytes }: VmSnapshot): Promise<void> {
    await this.database.query(
      `INSERT INTO vm_snapshot (host, key, owner_id, image_sha256, size_bytes) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (host, key) DO UPDATE SET size_bytes = $5, created_at = now(), last_used_at = now()`,
      [host, key, ownerId, imageSha256, sizeBytes],
    );
  }

  /** @returns whether there is one of this key */
  async touch(host: string, key: string): Promise<boolean> {
    const [, touched] = await this.database.query<[unknown[], number]>(
      'UPDATE vm_snapshot SET last_used_at = now() WHERE host = $1 AND key = $2',
      [host, key],
    );
    return touched > 0;
  }

  async delete(host: string, key: string): Promise<void> {
    await this.database.query('DELETE FROM vm_snapshot WHERE host = $1 AND key = $2', [host, key]);
  }
}
