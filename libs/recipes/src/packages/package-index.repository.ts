import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { EventBus } from '#libs/platform';
import { NameShelves, nearestNames } from './nearest-names.js';
import { PackageIndexStateEntity } from './package-index.entity.js';
import { findConflicts, type RelatedPackage } from './package-conflicts.js';
import {
  PackageIndex,
  type IndexedPackage,
  type PackageClosure,
  type PackageConflict,
  type PackageIndexState,
  type PackageLookup,
} from './package-index.port.js';
import type { FetchedIndex, PackageRecord } from './package-source.port.js';

export const indexRefreshed = 'package-index.refreshed';
const rowsPerInsert = 500;
const mostProviders = 10;

const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** The package index in PostgreSQL. Only the names of a base are kept in memory, for the search of near ones. */
@Injectable()
export class PostgresPackageIndex extends PackageIndex implements OnModuleInit {
  private readonly names = new Map<string, Promise<NameShelves>>();

  constructor(
    private readonly database: DataSource,
    private readonly events: EventBus,
  ) {
    super();
  }

  onModuleInit(): void {
    this.events.subscribe(indexRefreshed, {
      onEvent: (base) => void this.names.delete(base),
      onGap: () => this.names.clear(),
    });
  }

  async state(base: string): Promise<PackageIndexState> {
    const row = await this.database.getRepository(PackageIndexStateEntity).findOneBy({ base });
    return {
      loaded: row !== null,
      refreshedAt: row?.refreshedAt ?? null,
      packageCount: row?.packageCount ?? 0,
      architecture: row?.architecture ?? hostArchitecture,
    };
  }

  async lookup(base: string, names: readonly string[]): Promise<PackageLookup> {
    const found = await this.database.query<IndexedPackage[]>(
      'SELECT name, version, versions FROM package_index WHERE base = $1 AND name = ANY($2) ORDER BY name',
      [base, names],
    );
    const real = new Set(found.map(({ name }) => name));
    const others = [...new Set(names)].filter((name) => !real.has(name));
    const virtual = others.length ? await this.virtual(base, others) : [];
    const provided = new Set(virtual.map(({ name }) => name));
    return { found, virtual, missing: others.filter((name) => !provided.has(name)) };
  }

  async nearest(base: string, names: readonly string[], limit?: number): Promise<Map<string, string[]>> {
    return await nearestNames(await this.allNames(base), names, { limit });
  }

  async conflicts(base: string, names: readonly string[]): Promise<PackageConflict[]> {
    const related = await this.database.query<RelatedPackage[]>(
      `WITH RECURSIVE wanted(name) AS (
         SELECT name FROM package_index WHERE base = $1 AND name = ANY($2)
         UNION
         SELECT requirement FROM wanted JOIN package_index p ON p.base = $1 AND p.name = wanted.name CROSS JOIN LATERAL unnest(p.requires) AS requirement
       )
       SELECT name, requires, provides, conflicts FROM package_index WHERE base = $1 AND name = ANY(ARRAY(SELECT name FROM wanted)) ORDER BY name`,
      [base, names],
    );
    return findConflicts(names, related);
  }

  async closure(base: string, names: readonly string[]): Promise<PackageClosure> {
    // The last step names its rows by an array, since a join would read the whole table: the planner expects thousands of names.
    const rows = await this.database.query<{ name: string; download: number; installed: number }[]>(
      `WITH RECURSIVE wanted(name) AS (
         SELECT name FROM package_index WHERE base = $1 AND (essential OR name = ANY($2))
         UNION
         SELECT dependency FROM wanted JOIN package_index p ON p.base = $1 AND p.name = wanted.name CROSS JOIN LATERAL unnest(p.depends) AS dependency
       )
       SELECT name, download_bytes::float8 AS download, installed_bytes::float8 AS installed
       FROM package_index WHERE base = $1 AND name = ANY(ARRAY(SELECT name FROM wanted)) ORDER BY name`,
      [base, names],
    );
    const sum = (key: 'download' | 'installed') => rows.reduce((total, row) => total + row[key], 0);
    return { names: rows.map(({ name }) => name), downloadBytes: sum('download'), installedBytes: sum('installed') };
  }

  /** Puts a freshly fetched index in the place of the old one; readers see the one or the other, never a mixture. */
  async replace(base: string, { architecture, packages }: FetchedIndex): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.query('DELETE FROM package_index WHERE base = $1', [base]);
      for (let at = 0; at < packages.length; at += rowsPerInsert)
        await insert(manager, base, packages.slice(at, at + rowsPerInsert));
      // Before the commit: by the statistics of the old rows, the first look-ups of the new ones would read the whole table.
      await manager.query('ANALYZE package_index');
      await manager.upsert(
        PackageIndexStateEntity,
        { base, architecture, packageCount: packages.length, refreshedAt: new Date() },
        ['base'],
      );
      await this.events.publish((sql, parameters) => manager.query(sql, parameters), indexRefreshed, base);
    });
    this.names.delete(base);
  }

  private async virtual(base: string, names: string[]): Promise<PackageLookup['virtual']> {
    return await this.database.query<PackageLookup['virtual']>(
      `SELECT virtual AS name, (array_agg(p.name ORDER BY p.name))[1:${mostProviders}] AS providers
       FROM package_index p CROSS JOIN LATERAL unnest(p.provides) AS virtual
       WHERE p.base = $1 AND p.provides && $2::text[] AND virtual = ANY($2) GROUP BY virtual ORDER BY virtual`,
      [base, names],
    );
  }

  private allNames(base: string): Promise<NameShelves> {
    const cached = this.names.get(base);
    if (cached) return cached;
    const reading = this.database
      .query<{ name: string }[]>('SELECT name FROM package_index WHERE base = $1', [base])
      .then((rows) => new NameShelves(rows.map(({ name }) => name)));
    this.names.set(base, reading);
    // A failed read must not be remembered.
    reading.catch(() => this.names.delete(base));
    return reading;
  }
}

/** One statement for many rows; arrays inside rows go as JSON because unnest would flatten them. */
async function insert(manager: EntityManager, base: string, packages: PackageRecord[]): Promise<void> {
  const rows = packages.map(({ downloadBytes, installedBytes, ...row }) => ({
    ...row,
    download_bytes: downloadBytes,
    installed_bytes: installedBytes,
  }));
  await manager.query(
    `INSERT INTO package_index (base, name, version, versions, depends, provides, requires, conflicts, essential, download_bytes, installed_bytes)
     SELECT $1, r.* FROM json_to_recordset($2::json)
       AS r(name text, version text, versions text[], depends text[], provides text[], requires text[], conflicts text[], essential boolean, download_bytes bigint, installed_bytes bigint)`,
    [base, JSON.stringify(rows)],
  );
}
