import { Injectable } from '@nestjs/common';
import { IdempotencyService, type Caller } from '#libs/platform';
import { BuildAllowance } from './build-allowance.service.js';
import { BuildQueue } from './build-queue.service.js';
import { nextStepOf } from './build-view.js';
import { BuildRepository, type NewBuild } from './build.repository.js';
import type { CreatedBuild } from './builds.dto.js';

/** Lets a build into the queue: once per idempotency key, within the caller’s limits, together with its job. */
@Injectable()
export class BuildAdmission {
  constructor(
    private readonly builds: BuildRepository,
    private readonly idempotency: IdempotencyService,
    private readonly queue: BuildQueue,
    private readonly allowance: BuildAllowance,
  ) {}

  /**
   * Whether it would be taken, before anything dear is done for it; `take` asks again.
   * @throws AppError `build_quota`, `build_minutes_quota`, `disk_quota`
   */
  async check(caller: Caller, request: { operation: string; key: string | undefined }): Promise<void> {
    if (await this.idempotency.knows(caller, request)) return;
    await this.idempotency.once(caller, { operation: request.operation, key: undefined, body: undefined }, (manager) =>
      this.allowance.admit(manager, caller),
    );
  }

  async take(
    caller: Caller,
    build: Omit<NewBuild, 'ownerId'>,
    request: { operation: string; key: string | undefined; body: unknown },
    estimatedSeconds: number | null,
  ): Promise<CreatedBuild> {
    return await this.idempotency.once(caller, request, async (manager) => {
      await this.allowance.admit(manager, caller);
      const { build: made, leaseId } = await this.builds.insert(manager, { ...build, ownerId: caller.ownerId });
      await this.queue.send(manager, { build_id: made.id, lease_id: leaseId });
      return {
        build_id: made.id,
        name: made.name,
        status: made.status,
        retry_of: made.retryOf,
        estimated_seconds: estimatedSeconds,
        created_at: made.createdAt.toISOString(),
        next_step: nextStepOf(made),
      };
    });
  }
}
