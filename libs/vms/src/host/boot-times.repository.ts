import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { BootKind } from '../vm.js';
import { HostIdentity } from './host-identity.js';

/** How long starts of VMs take on this host, from those there were. */
@Injectable()
export class BootTimesRepository {
  constructor(
    private readonly database: DataSource,
    private readonly identity: HostIdentity,
  ) {}

  async note(kind: BootKind, imageSha256: string, seconds: number): Promise<void> {
    await this.database.query('INSERT INTO vm_boot (host, kind, image_sha256, seconds) VALUES ($1, $2, $3, $4)', [
      this.identity.id,
      kind,
      imageSha256,
      seconds,
    ]);
  }

  /** Median of the last starts of this kind, of this image where it was started before; undefined while there was none. */
  async typicalSeconds(host: string, kind: BootKind, imageSha256: string): Promise<number | undefined> {
    const [row] = await this.database.query<{ of_image: number | null; of_all: number | null }[]>(
      `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE image_sha256 = $3) AS of_image, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS of_all
       FROM (SELECT seconds, image_sha256 FROM vm_boot WHERE host = $1 AND kind = $2 ORDER BY at DESC LIMIT 50) recent`,
      [host, kind, imageSha256],
    );
    const seconds = row?.of_image ?? row?.of_all ?? undefined;
    return seconds === undefined ? undefined : Number(seconds);
  }

  async purgeExpired(): Promise<void> {
    await this.database.query("DELETE FROM vm_boot WHERE at < now() - interval '90 days'");
  }
}
