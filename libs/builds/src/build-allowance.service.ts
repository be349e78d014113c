import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AnonymousDisk, AppError, Settings, widerLimits, type Caller } from '#libs/platform';
import { secondsUntilRoom, secondsWithinDay } from './build-minutes.js';
import { BuildRepository } from './build.repository.js';

const mib = 2 ** 20;

/** Whether a caller may have one more build. Anonymous callers have limits of their own, and never more than others. */
@Injectable()
export class BuildAllowance implements OnModuleInit {
  constructor(
    private readonly builds: BuildRepository,
    private readonly disk: AnonymousDisk,
    private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    this.disk.register((manager, ownerId) => this.builds.artifactBytes(manager, ownerId));
  }

  /** Holds until the transaction ends: one admission of an owner at a time. @throws AppError `build_quota`, `build_records_quota`, `build_minutes_quota`, `disk_quota` */
  async admit(manager: EntityManager, caller: Caller): Promise<void> {
    await this.builds.lockAdmission(manager, caller.ownerId);
    await this.admitUnfinished(manager, caller);
    await this.admitRecords(manager, caller);
    if (caller.kind !== 'anonymous') return;
    await this.admitMinutes(manager, caller);
    await this.disk.admit(manager, caller);
  }

  private async admitUnfinished(manager: EntityManager, { kind, ownerId }: Caller): Promise<void> {
    const { buildMaxQueuedPerCaller, anonymousBuilds } = this.settings;
    const most = kind === 'anonymous' ? Math.min(anonymousBuilds, buildMaxQueuedPerCaller) : buildMaxQueuedPerCaller;
    if ((await this.builds.countUnfinished(manager, ownerId)) < most) return;
    const hint = `Wait until one has ended (list_builds shows them), or cancel one.${kind === 'anonymous' ? ` ${widerLimits}` : ''}`;
    throw new AppError({
      kind: 'quota',
      reason: 'build_quota',
      message: `You have ${most} builds waiting or running, which is the most.`,
      hint,
    });
  }

  /** Builds that ended stay until their owner deletes them: nothing of theirs is forgotten by itself, so there is an end to it. */
  private async admitRecords(manager: EntityManager, { ownerId }: Caller): Promise<void> {
    const most = this.settings.buildRecordsMbPerCaller;
    const taken = await this.builds.recordBytes(manager, ownerId);
    if (taken < most * mib) return;
    throw new AppError({
      kind: 'quota',
      reason: 'build_records_quota',
      message: `The recipes and logs of your builds take ${Math.round(taken / mib)} MiB, and ${most} MiB is the most.`,
      hint: 'Delete builds that you no longer need: DELETE /api/builds/{id}.',
      retryable: false,
    });
  }

  private async admitMinutes(manager: EntityManager, { ownerId }: Caller): Promise<void> {
    const minutes = this.settings.anonymousBuildMinutesPerDay;
    const runs = await this.builds.runsWithinDay(manager, ownerId);
    const used = secondsWithinDay(runs);
    if (used < minutes * 60) return;
    const retryAfterSeconds = secondsUntilRoom(runs, minutes * 60);
    throw new AppError({
      kind: 'quota',
      reason: 'build_minutes_quota',
      message: `Your builds ran for ${Math.floor(used / 60)} minutes in the last 24 hours, and ${minutes} is the most for an anonymous caller; room comes at ${new Date(Date.now() + retryAfterSeconds * 1000).toISOString()} at the earliest.`,
      hint: `Wait until then. ${widerLimits}`,
      retryAfterSeconds,
    });
  }
}
