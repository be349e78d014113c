import type { BuildLogRepository } from './build-log.repository.js';
import { mostLogBytes } from './build-log.repository.js';
import type { BuildRunRepository, Claim, ClaimState } from './build-run.repository.js';
import { progressAt } from './build.js';
import type { PipelineListener, StageName } from './pipeline/build-pipeline.port.js';

const flushEveryMs = 250;
const mostLineCharacters = 16_384;

/** The build was given to another worker; this one's results are void. */
export class ClaimLost extends Error {}

/** Writes down what the pipeline tells: rows at once, lines and progress a few times a second. */
export class BuildRecorder implements PipelineListener {
  /** What went wrong with the writing itself: the build is not to blame. */
  failure: Error | undefined;
  private lines: string[] = [];
  private loggedBytes = 0;
  private progress = 0;
  private writtenProgress = 0;
  private timer: NodeJS.Timeout | undefined;
  private tail = Promise.resolve();

  constructor(
    private readonly claim: Claim,
    private readonly runs: BuildRunRepository,
    private readonly logs: BuildLogRepository,
    /** Told when the pipeline should stop. */
    private readonly on: { cancelled(): void; failed(error: Error): void },
  ) {}

  async onStageStarted(stage: StageName): Promise<void> {
    await this.inTurn(async () => {
      await this.write();
      this.heed(await this.runs.stageStarted(this.claim, stage, progressAt(stage, 0)));
    });
    if (this.failure) throw this.failure;
  }

  onStageProgress(stage: StageName, fraction: number): void {
    this.progress = Math.max(this.progress, progressAt(stage, fraction));
    if (this.progress > this.writtenProgress) this.flushSoon();
  }

  async onStageFinished(
    stage: StageName,
    { seconds, fromCache }: { seconds: number; fromCache: boolean },
  ): Promise<void> {
    await this.inTurn(async () => {
      await this.write();
      this.heed(
        await this.runs.stageFinished(this.claim, stage, { seconds, fromCache, progress: progressAt(stage, 1) }),
      );
    });
    if (this.failure) throw this.failure;
  }

  onLog(line: string): void {
    if (this.loggedBytes > mostLogBytes) return;
    const text = line.slice(0, mostLineCharacters).replace(/[\r\n\u0000]/g, ' ');
    this.loggedBytes += Buffer.byteLength(text) + 1;
    this.lines.push(text);
    this.flushSoon();
  }

  /** Writes what is left. Never throws: `failure` tells. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.inTurn(() => this.write());
  }

  private flushSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.inTurn(() => this.write());
    }, flushEveryMs);
  }

  private async write(): Promise<void> {
    const { lines, progress } = this;
    this.lines = [];
    if (
      lines.length &&
      !(await this.logs.append(this.claim.build.id, this.claim.fencingToken, Buffer.from(`${lines.join('\n')}\n`)))
    )
      this.heed('lost');
    if (!lines.length && progress <= this.writtenProgress) return;
    this.writtenProgress = progress;
    this.heed(await this.runs.progress(this.claim, progress));
  }

  private heed(claimState: ClaimState): void {
    if (claimState === 'lost') throw new ClaimLost('Another worker has this build.');
    if (claimState === 'cancel') this.on.cancelled();
  }

  /** One write after the other, so that lines stay in order. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    this.tail = this.tail.then(async () => {
      if (this.failure) return;
      try {
        await work();
      } catch (error) {
        this.failure = error instanceof Error ? error : new Error(String(error));
        this.on.failed(this.failure);
      }
    });
    await this.tail;
  }
}
