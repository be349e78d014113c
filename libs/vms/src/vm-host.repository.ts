import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { EventBus, Settings } from '#libs/platform';
import { VmEntity } from './vm.entity.js';
import {
  isLive,
  liveStates,
  statesBefore,
  type BootKind,
  type Vm,
  type VmError,
  type VmReason,
  type VmState,
} from './vm.js';

export interface VmChange {
  reason?: VmReason;
  error?: VmError;
  boot?: BootKind;
}

/** Something happened to the VM of this id. */
export const vmChanged = 'vm.changed';
/** Whoever looks at the screen of the VM of this id must not any more: it stopped, or is deleted. */
export const vmAccessEnded = 'vm.access_ended';

/** VMs as their host writes them. */
@Injectable()
export class VmHostRepository {
  constructor(
    private readonly database: DataSource,
    private readonly events: EventBus,
    private readonly settings: Settings,
  ) {}

  /** This host lives. */
  async beat(host: string): Promise<void> {
    await this.database.query(
      'INSERT INTO vm_host (id, seen_at) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()',
      [host],
    );
  }

  /** @returns whether the VM was in a state that this one may follow; if not, nothing is written */
  async change(id: string, to: VmState, change: VmChange = {}): Promise<boolean> {
    return await this.database.transaction((manager) => this.changeIn(manager, id, to, change));
  }

  async changeIn(
    manager: EntityManager,
    id: string,
    to: VmState,
    { reason, error, boot }: VmChange = {},
  ): Promise<boolean> {
    const sql = `UPDATE vm SET state = $2, reason = $3, error = $4, boot = coalesce($5, boot), updated_at = now(),
                   started_at = CASE WHEN $5::text IS NULL THEN started_at ELSE now() END,
                   expires_at = CASE WHEN expires_at IS NULL OR $7::integer IS NULL THEN expires_at ELSE now() + $7 * interval '1 hour' END
                 WHERE id = $1 AND state = ANY($6)`;
    const hours = isLive(to) ? null : this.settings.vmAnonymousKeepHours;
    const [, changed] = await manager.query<[unknown[], number]>(sql, [
      id,
      to,
      reason ?? null,
      error ? JSON.stringify(error) : null,
      boot ?? null,
      statesBefore(to),
      hours,
    ]);
    if (!changed) return false;
    await this.tell(manager, vmChanged, id);
    if (!isLive(to)) await this.tell(manager, vmAccessEnded, id);
    return true;
  }

  /** Something that does not work in a VM that runs on. */
  async noteFault(id: string, reason: VmReason, error: VmError): Promise<void> {
    await this.database.transaction(async (manager) => {
      const [, changed] = await manager.query<[unknown[], number]>(
        "UPDATE vm SET reason = $2, error = $3, updated_at = now() WHERE id = $1 AND state = 'running'",
        [id, reason, JSON.stringify(error)],
      );
      if (changed) await this.tell(manager, vmChanged, id);
    });
  }

  async delete(id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.delete(VmEntity, { id });
      await this.tell(manager, vmChanged, id);
      await this.tell(manager, vmAccessEnded, id);
    });
  }

  async liveOn(host: string): Promise<Vm[]> {
    return await this.database
      .getRepository(VmEntity)
      .createQueryBuilder('vm')
      .where('vm.host = :host AND vm.state = ANY(:live)', { host, live: liveStates })
      .orderBy('vm.createdAt')
      .getMany();
  }

  async idsOn(host: string): Promise<Set<string>> {
    const rows = await this.database.query<{ id: string }[]>('SELECT id FROM vm WHERE host = $1', [host]);
    return new Set(rows.map(({ id }) => id));
  }

  /** VMs of this host that nobody used for too long. */
  async expired(host: string): Promise<Vm[]> {
    return await this.database
      .getRepository(VmEntity)
      .createQueryBuilder('vm')
      .where('vm.host = :host AND vm.expiresAt < now()', { host })
      .getMany();
  }

  /** VMs whose host was not heard of for two minutes are lost, until it comes back. @returns how many */
  async markLost(): Promise<number> {
    const lost = await this.database.query<{ id: string }[]>(
      "SELECT vm.id FROM vm JOIN vm_host ON vm_host.id = vm.host WHERE vm_host.seen_at < now() - interval '2 minutes' AND vm.state = ANY($1)",
      [statesBefore('lost')],
    );
    for (const { id } of lost) await this.change(id, 'lost', { reason: 'host_lost' });
    return lost.length;
  }

  private async tell(manager: EntityManager, topic: string, id: string): Promise<void> {
    await this.events.publish((sql, values) => manager.query(sql, values), topic, id);
  }
}
