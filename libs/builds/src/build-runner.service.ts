import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ArtifactStore } from '#libs/artifacts';
import { AppError, errorMessage, EventBus } from '#libs/platform';
import { BuildLogRepository } from './build-log.repository.js';
import { BuildQueue } from './build-queue.service.js';
import { BuildRecorder, ClaimLost } from './build-recorder.js';
import { BuildRunRepository, mostCrashes, type BuildEnd, type Claim } from './build-run.repository.js';
import type { BuildArtifact, BuildError } from './build.js';
import {
  BuildFailure,
  BuildPipeline,
  type BuiltArtifact,
  type PipelineOutcome,
} from './pipeline/build-pipeline.port.js';

class CancelRequested extends Error {}
class WorkerStopping extends Error {}

/** The queue gives a stopping worker three seconds; the build must be back in the queue by then. */
const stopWithinMs = 2_000;

/** Runs one build: claim, pipeline, end. */
@Injectable()
export class BuildRunner implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('Builds');
  private readonly running = new Map<string, AbortController>();
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly pipeline: BuildPipeline,
    private readonly runs: BuildRunRepository,
    private readonly logs: BuildLogRepository,
    private readonly store: ArtifactStore,
    private readonly queue: BuildQueue,
    private readonly events: EventBus,
  ) {}

  onModuleInit(): void {
    const cancel = (id: string) => this.running.get(id)?.abort(new CancelRequested());
    this.unsubscribe = this.events.subscribe('build.cancel_requested', {
      onEvent: cancel,
      onGap: () => {
        if (this.running.size)
          this.runs.cancelRequested([...this.running.keys()]).then(
            (ids) => ids.forEach(cancel),
            (error: unknown) => this.log.warn(`Missed cancellations could not be read: ${errorMessage(error)}`),
          );
      },
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  async run(buildId: string, leaseId: string, jobSignal: AbortSignal): Promise<void> {
    const claim = await this.runs.claim(buildId, leaseId);
    if (!claim) return;
    if (claim.build.cancelRequestedAt) return void (await this.runs.finish(claim, { status: 'cancelled' }));
    if (claim.crashes > mostCrashes)
      return void (await this.runs.finish(claim, { status: 'failed', error: killerOf(claim) }));
    // What an earlier worker may have stored before it died.
    if (claim.fencingToken > 1) await this.store.deleteGroup(buildId);
    const abort = new AbortController();
    const stop = () => abort.abort(new WorkerStopping());
    jobSignal.addEventListener('abort', stop, { once: true });
    if (jobSignal.aborted) stop();
    this.running.set(buildId, abort);
    try {
      await this.work(claim, abort);
    } finally {
      this.running.delete(buildId);
      jobSignal.removeEventListener('abort', stop);
    }
  }

  private async work(claim: Claim, abort: AbortController): Promise<void> {
    const { build, fencingToken } = claim;
    const recorder = new BuildRecorder(claim, this.runs, this.logs, {
      cancelled: () => abort.abort(new CancelRequested()),
      failed: (error) => abort.abort(error),
    });
    if (fencingToken > 1)
      recorder.onLog('The build goes on after its worker stopped; finished stages come from the cache.');
    const stored: StoredArtifacts = [];
    let end = await this.outcome(claim, recorder, abort.signal, stored);
    await recorder.close();
    if (recorder.failure instanceof ClaimLost) {
      this.log.warn(`Build ${build.id} went to another worker`);
      end = undefined;
    } else if (recorder.failure) {
      await this.discard(stored);
      // The database was away: the job goes back to the queue, and the build goes on.
      throw recorder.failure;
    } else if (!end) {
      await this.discard(stored);
      this.log.log(`Build ${build.id} waits again, because this worker stops`);
      return await this.queue.requeue(build.id, { fencingToken });
    }
    if (!end || !(await this.runs.finish(claim, end))) await this.discard(stored);
  }

  /** @returns how the build ended; undefined where it did not, because this worker stops */
  private async outcome(
    claim: Claim,
    recorder: BuildRecorder,
    signal: AbortSignal,
    stored: StoredArtifacts,
  ): Promise<BuildEnd | undefined> {
    const { id, ownerId, recipe } = claim.build;
    const work = async (): Promise<BuildEnd> => {
      const { artifacts, imageSha256, imageId }: PipelineOutcome = await this.pipeline.run(
        { buildId: id, ownerId, recipe },
        recorder,
        signal,
      );
      await this.keep(id, artifacts, stored, signal);
      return { status: 'completed', artifacts: stored, imageSha256, imageId, verified: true };
    };
    try {
      return await Promise.race([work(), this.stopped(signal)]);
    } catch (error) {
      if (signal.reason instanceof WorkerStopping) return undefined;
      if (signal.reason instanceof CancelRequested) {
        await this.discard(stored);
        return { status: 'cancelled' };
      }
      return await this.failure(claim, error, stored);
    }
  }

  /** Rejects when a stopping worker cannot wait any longer for the pipeline. */
  private async stopped(signal: AbortSignal): Promise<never> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    if (!(signal.reason instanceof WorkerStopping)) await new Promise(() => undefined);
    await sleep(stopWithinMs, undefined, { ref: false });
    throw signal.reason;
  }

  private async failure({ build }: Claim, error: unknown, stored: StoredArtifacts): Promise<BuildEnd> {
    const kept = error instanceof BuildFailure ? error.artifacts : [];
    try {
      await this.keep(build.id, kept, stored);
    } catch (problem) {
      this.log.error(`The artifacts of the failed build ${build.id} could not be kept: ${errorMessage(problem)}`);
    }
    const image = stored.find(({ name }) => name.endsWith('.iso'));
    return {
      status: 'failed',
      error: this.errorOf(build.id, error),
      artifacts: stored,
      ...(image && { imageSha256: image.sha256, verified: false }),
    };
  }

  private errorOf(buildId: string, error: unknown): BuildError {
    if (error instanceof BuildFailure)
      return {
        stage: error.stage,
        reason: error.reason,
        message: error.message,
        hint: error.hint ?? null,
        fault: error.whose,
        last_lines: error.lastLines,
        request_id: null,
      };
    const requestId = randomUUID();
    this.log.error(
      { err: error, build_id: buildId, request_id: requestId },
      `Build ${buildId} broke: ${errorMessage(error)}`,
    );
    const known = error instanceof AppError ? error : undefined;
    return {
      stage: null,
      reason: known?.reason ?? 'internal_error',
      message: known?.message ?? 'Something went wrong on our side.',
      hint: known?.hint ?? 'Try again with retry_build; if it stays, tell your operator the request id.',
      fault: known?.fault ?? 'system',
      last_lines: [],
      request_id: requestId,
    };
  }

  private async keep(
    group: string,
    artifacts: BuiltArtifact[],
    stored: StoredArtifacts,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const { name, path, mediaType, sizeBytes, sha256 } of artifacts) {
      const { key } = await this.store.put({ group, path, sizeBytes, sha256 }, signal);
      stored.push({ id: randomUUID(), name, mediaType, sizeBytes, sha256, storeKey: key });
    }
  }

  private async discard(stored: StoredArtifacts): Promise<void> {
    for (const { storeKey } of stored.splice(0)) await this.store.delete(storeKey);
  }
}

type StoredArtifacts = Omit<BuildArtifact, 'buildId'>[];

function killerOf({ build, crashes }: Claim): BuildError {
  return {
    stage: build.stage,
    reason: 'worker_died',
    message: `The worker died ${crashes} times while it ran this build.`,
    hint: 'An operator finds the cause in the log of the worker; retry_build tries once more.',
    fault: 'system',
    last_lines: [],
    request_id: null,
  };
}
