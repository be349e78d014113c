import { StringDecoder } from 'node:string_decoder';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Build } from './build.js';

/** A build that prints more is cut, so that a recipe cannot fill the database. */
export const mostLogBytes = 8 << 20;
const mostReadBytes = 1 << 20;
const cutLine = Buffer.from(`\n[The log was cut here: it reached ${mostLogBytes >> 20} MiB.]\n`);

/** The logs of builds, as pieces of whole lines. Who may read one is decided where the build is looked up. */
@Injectable()
export class BuildLogRepository {
  constructor(private readonly database: DataSource) {}

  /** Appends whole lines, unless the claim is lost or the log is full. @returns whether the claim still holds */
  async append(buildId: string, fencingToken: number, lines: Buffer): Promise<boolean> {
    return await this.database.transaction(async (manager) => {
      const [row] = await manager.query<{ log_bytes: string }[]>(
        'SELECT log_bytes FROM build WHERE id = $1 AND fencing_token = $2 FOR UPDATE',
        [buildId, fencingToken],
      );
      if (!row) return false;
      const first = Number(row.log_bytes);
      const content = fitting(lines, mostLogBytes - first);
      if (!content.length) return true;
      await manager.query('INSERT INTO build_log (build_id, first_byte, content) VALUES ($1, $2, $3)', [
        buildId,
        first,
        content,
      ]);
      await manager.query('UPDATE build SET log_bytes = $2 WHERE id = $1', [buildId, first + content.length]);
      return true;
    });
  }

  /** About a MiB of the log from this byte on; empty at its end. */
  async read({ id }: Build, from: number): Promise<Buffer> {
    const rows = await this.database.query<{ first_byte: string; content: Buffer }[]>(
      `SELECT first_byte, content FROM (
         SELECT first_byte, content, sum(length(content)) OVER (ORDER BY first_byte) - length(content) AS before
         FROM build_log WHERE build_id = $1 AND first_byte + length(content) > $2
       ) pieces WHERE before < $3 ORDER BY first_byte`,
      [id, from, mostReadBytes],
    );
    return Buffer.concat(
      rows.map(({ first_byte: first, content }) => content.subarray(Math.max(0, from - Number(first)))),
    );
  }
}

/** What still fits; what does not is cut off, and a last line over the limit says so. */
function fitting(lines: Buffer, room: number): Buffer {
  if (room <= 0) return Buffer.alloc(0);
  return lines.length <= room ? lines : Buffer.concat([wholeCharacters(lines.subarray(0, room)), cutLine]);
}

const wholeCharacters = (bytes: Buffer) => Buffer.from(new StringDecoder('utf8').write(bytes));
