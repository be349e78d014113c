import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isUuid, notFound, Settings, type AppError } from '#libs/platform';
import type { VmUse } from './admission.js';
import { VmDiskSnapshotEntity } from './vm-disk-snapshot.entity.js';
import { vmNamePattern } from './vm-name.js';
import { VmEntity } from './vm.entity.js';
import { liveStates, type DiskSnapshot, type Vm } from './vm.js';

export type NewVm = Pick<
  Vm,
  | 'id'
  | 'ownerId'
  | 'name'
  | 'buildId'
  | 'imageSha256'
  | 'imageKey'
  | 'persistenceLabel'
  | 'memoryMb'
  | 'vcpus'
  | 'network'
  | 'host'
  | 'expiresAt'
>;

/** One answer for an unknown name, another's VM and what is no name at all. */
export const vmNotFound = (name: string): AppError => notFound('vm', name, 'list_vms shows your VMs.');

/** VMs as their owners see them. What the host writes is in vm-host.repository.ts. */
@Injectable()
export class VmRepository {
  constructor(
    private readonly database: DataSource,
    private readonly settings: Settings,
  ) {}

  async list(ownerId: string, buildId: string | undefined): Promise<Vm[]> {
    if (buildId !== undefined && !isUuid(buildId)) return [];
    return await this.database
      .getRepository(VmEntity)
      .find({ where: { ownerId, ...(buildId !== undefined && { buildId }) }, order: { createdAt: 'DESC', id: 'ASC' } });
  }

  /** @throws AppError `vm_not_found` */
  async get(ownerId: string, name: string): Promise<Vm> {
    const found = vmNamePattern.test(name)
      ? await this.database.getRepository(VmEntity).findOneBy({ ownerId, name })
      : null;
    if (!found) throw vmNotFound(name);
    return found;
  }

  async find(id: string): Promise<Vm | null> {
    return await this.database.getRepository(VmEntity).findOneBy({ id });
  }

  /** Until the transaction ends, nobody else changes it. @throws AppError `vm_not_found` */
  async getLocked(manager: EntityManager, id: string, name: string): Promise<Vm> {
    const found = await manager.findOne(VmEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!found) throw vmNotFound(name);
    return found;
  }

  /** Until the transaction ends, nobody else is admitted to this host, so that counts hold. */
  async lockAdmission(manager: EntityManager, host: string): Promise<void> {
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`vms ${host}`]);
  }

  async use(manager: EntityManager, host: string, ownerId: string): Promise<Omit<VmUse, 'freeDiskBytes'>> {
    const [row] = await manager.query<Record<'of_caller' | 'vms' | 'memory' | 'vcpus', string | null>[]>(
      `SELECT count(*) FILTER (WHERE owner_id = $2) AS of_caller, count(*) FILTER (WHERE host = $1) AS vms,
              sum(memory_mb) FILTER (WHERE host = $1 AND state = ANY($3)) AS memory, sum(vcpus) FILTER (WHERE host = $1 AND state = ANY($3)) AS vcpus FROM vm`,
      [host, ownerId, liveStates],
    );
    return {
      vmsOfCaller: Number(row?.of_caller),
      vms: Number(row?.vms),
      memoryMb: Number(row?.memory),
      vcpus: Number(row?.vcpus),
    };
  }

  async countOf(manager: EntityManager, ownerId: string): Promise<number> {
    return await manager.countBy(VmEntity, { ownerId });
  }

  async countDiskSnapshotsOf(manager: EntityManager, ownerId: string): Promise<number> {
    return await manager
      .createQueryBuilder(VmDiskSnapshotEntity, 'snapshot')
      .where('snapshot.vmId IN (SELECT id FROM vm WHERE owner_id = :ownerId)', { ownerId })
      .getCount();
  }

  async isTaken(manager: EntityManager, ownerId: string, name: string): Promise<boolean> {
    return await manager.existsBy(VmEntity, { ownerId, name });
  }

  /** With the lowest number of an account that no VM of the host has. Admission must be locked. */
  async insert(manager: EntityManager, vm: NewVm): Promise<Vm> {
    const [free] = await manager.query<{ uid_index: number }[]>(
      'SELECT uid_index FROM generate_series(0, (SELECT count(*)::integer FROM vm WHERE host = $1)) AS uid_index WHERE NOT EXISTS (SELECT 1 FROM vm WHERE vm.host = $1 AND vm.uid_index = uid_index.uid_index) ORDER BY uid_index LIMIT 1',
      [vm.host],
    );
    const now = new Date();
    await manager.insert(VmEntity, {
      ...vm,
      uidIndex: free?.uid_index ?? 0,
      state: 'creating',
      createdAt: now,
      updatedAt: now,
      lastUsedAt: now,
    });
    return await manager.findOneByOrFail(VmEntity, { id: vm.id });
  }

  /** Somebody used it: where it expires at all, its time begins anew. */
  async touch(id: string): Promise<void> {
    await this.database.query(
      "UPDATE vm SET last_used_at = now(), expires_at = CASE WHEN expires_at IS NULL THEN NULL ELSE now() + $2 * interval '1 hour' END WHERE id = $1",
      [id, this.settings.vmAnonymousIdleHours],
    );
  }

  async diskSnapshots(vmId: string): Promise<DiskSnapshot[]> {
    return await this.database
      .getRepository(VmDiskSnapshotEntity)
      .find({ where: { vmId }, order: { createdAt: 'ASC', name: 'ASC' } });
  }

  /** What must hold at the moment that something is decided. */
  async inTransaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return await this.database.transaction(work);
  }

  async addDiskSnapshot(vmId: string, name: string): Promise<void> {
    await this.database.getRepository(VmDiskSnapshotEntity).insert({ vmId, name, createdAt: new Date() });
  }

  async removeDiskSnapshot(vmId: string, name: string): Promise<void> {
    await this.database.getRepository(VmDiskSnapshotEntity).delete({ vmId, name });
  }
}
