import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ArtifactStore } from '#libs/artifacts';
import { buildEntities, BuildsModule } from '#libs/builds';
import { loadSettings, parseInput, PlatformModule, type Caller } from '#libs/platform';
import { recipeEntities } from '#libs/recipes';
import { cloneDatabase, type TestDatabase } from '../../../../test/support/database.js';
import { FakeBuildPipeline } from '../../../../test/support/fake-build-pipeline.js';
import { FakeMachines, quickTimeouts } from '../../../../test/support/fake-machines.js';
import type { FakeGuest } from '../../../hypervisor/src/testing/fake-hypervisor.js';
import { vmEntities, VmsModule } from '../index.js';
import { VmQueryService } from '../vm-query.service.js';
import { CreateVmInput, type VmDetails } from '../vms.dto.js';
import { VmsTools } from '../vms.tools.js';

/** A factory with a real database, builds that are there without work, and guests that are up at once. */
export class VmFactory {
  app!: INestApplicationContext;
  machines!: FakeMachines;
  dataDir!: string;
  private readonly pipeline = new FakeBuildPipeline();

  private constructor(readonly database: TestDatabase) {}

  /** For all tests of a file. */
  static async create(): Promise<VmFactory> {
    return new VmFactory(await cloneDatabase());
  }

  async dispose(): Promise<void> {
    await this.database.drop();
    await this.pipeline.dispose();
  }

  /** For one test: an empty data directory, and no VMs. */
  async begin(): Promise<void> {
    this.dataDir = await mkdtemp(path.join(os.tmpdir(), 'openfactory-vms-'));
    this.machines = await FakeMachines.create();
    this.app = await this.start();
  }

  async end(): Promise<void> {
    await this.app.close();
    await this.database.query('DELETE FROM vm');
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** A factory on the same state; what an earlier one left running is there. */
  async start(environment: Record<string, string> = {}): Promise<INestApplicationContext> {
    const secret = 'x'.repeat(32);
    const { settings } = loadSettings({
      OPENFACTORY_ROLES: 'api,worker',
      OPENFACTORY_LOG_LEVEL: 'silent',
      OPENFACTORY_DATA_DIR: this.dataDir,
      DATABASE_URL: this.database.url,
      OPENFACTORY_SECRET: secret,
      OPENFACTORY_VM_MIN_FREE_DISK_GB: '0',
      OPENFACTORY_VM_MEMORY_MB: '8192',
      OPENFACTORY_VM_MAX_VCPUS: '8',
      OPENFACTORY_VM_CPU_OVERCOMMIT: '64',
      ...environment,
    });
    const builds = BuildsModule.forRoot({ pipeline: this.pipeline.module });
    const module = await Test.createTestingModule({
      imports: [
        PlatformModule.forRoot({
          settings,
          databaseUrl: this.database.url,
          secret,
          entities: [...recipeEntities, ...buildEntities, ...vmEntities],
        }),
        builds,
        VmsModule.forRoot({ builds, hypervisor: this.machines.module, timeouts: quickTimeouts }),
      ],
    }).compile();
    return await module.createNestApplication({ logger: false }).init();
  }

  /** Stops it, and starts it with other settings. */
  async restart(environment: Record<string, string> = {}): Promise<void> {
    await this.app.close();
    this.app = await this.start(environment);
  }

  /** A build that is done, as a worker leaves it. @returns its id */
  async built({ ownerId }: Caller, text: string = randomUUID(), lock?: object): Promise<string> {
    const id = randomUUID();
    const made = await this.pipeline.made('image.iso', 'application/x-iso9660-image', text);
    const { key } = await this.app.get(ArtifactStore, { strict: false }).put({ group: id, ...made });
    await this.database.query(
      "INSERT INTO build (id, owner_id, name, recipe, status, lease_id, image_sha256, image_id, verified, finished_at) VALUES ($1, $2, 'web', '{}', 'completed', $1, $3, $3, true, now())",
      [id, ownerId, made.sha256],
    );
    await this.database.query(
      "INSERT INTO build_artifact (id, build_id, name, media_type, size_bytes, sha256, store_key) VALUES (gen_random_uuid(), $1, 'web.iso', 'application/x-iso9660-image', $2, $3, $4)",
      [id, made.sizeBytes, made.sha256, key],
    );
    if (lock) {
      const file = await this.pipeline.made('lock.json', 'application/json', JSON.stringify(lock));
      const stored = await this.app.get(ArtifactStore, { strict: false }).put({ group: id, ...file });
      await this.database.query(
        "INSERT INTO build_artifact (id, build_id, name, media_type, size_bytes, sha256, store_key) VALUES (gen_random_uuid(), $1, 'lock.json', 'application/json', $2, $3, $4)",
        [id, file.sizeBytes, file.sha256, stored.key],
      );
    }
    return id;
  }

  async create(caller: Caller, buildId: string, more: object = {}): Promise<VmDetails> {
    return await this.app.get(VmsTools).createVm(caller, parseInput(CreateVmInput, { build_id: buildId, ...more }));
  }

  async get(caller: Caller, name: string): Promise<VmDetails> {
    return await this.app.get(VmQueryService).get(caller, name);
  }

  async until(caller: Caller, name: string, state: string): Promise<VmDetails> {
    for (let tries = 0; tries < 2_000; tries++) {
      const vm = await this.get(caller, name).catch(() => undefined);
      if (vm?.state === state) return vm;
      await sleep(10);
    }
    throw new Error(`${name} did not become ${state} but is ${JSON.stringify(await this.get(caller, name))}`);
  }

  running(): FakeGuest[] {
    return this.machines.guests.filter(({ isRunning }) => isRunning);
  }

  directoryOf({ vm_id }: VmDetails): string {
    return path.join(this.dataDir, 'vms', 'machines', vm_id);
  }
}
