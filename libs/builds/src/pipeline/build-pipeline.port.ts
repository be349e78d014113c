import { AppError, type AppErrorOptions, type Fault } from '#libs/platform';

/** In the order they run. `boot` is what the status `testing` means. */
export const stageNames = [
  'resolve',
  'fetch',
  'base',
  'packages',
  'configure',
  'initramfs',
  'squashfs',
  'image',
  'boot',
  'evidence',
] as const;
export type StageName = (typeof stageNames)[number];

export interface PipelineInput {
  buildId: string;
  ownerId: string;
  /** A prepared recipe: valid, whole, passwords hashed (RecipeReader.prepare). */
  recipe: Record<string, unknown>;
}

export interface PipelineListener {
  /** A stage begins. */
  onStageStarted(stage: StageName): Promise<void>;
  /** Of the running stage, 0 to 1; may be called often. */
  onStageProgress(stage: StageName, fraction: number): void;
  onStageFinished(stage: StageName, result: { seconds: number; fromCache: boolean }): Promise<void>;
  /** One line of the build log, without its newline, control characters removed. */
  onLog(line: string): void;
}

export interface BuiltArtifact {
  /** File name, such as `my-server.iso`, `recipe.json`. */
  name: string;
  /** Where the pipeline left it; the caller of the pipeline takes it over. */
  path: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
}

export interface PipelineOutcome {
  artifacts: BuiltArtifact[];
  /** sha256 of the ISO, hex. */
  imageSha256: string;
  /** What the image calls itself, hex: its labels are made of it. */
  imageId: string;
}

/** A stage failed. `fault` says whose it is: the caller's (the recipe cannot be built) or the system's. */
export class BuildFailure extends AppError {
  constructor(
    readonly stage: StageName,
    readonly whose: Fault,
    options: Omit<AppErrorOptions, 'kind'>,
    /** The last meaningful lines of the log. */
    readonly lastLines: string[] = [],
    /** Artifacts that exist although the build failed: an image that did not pass its boot. */
    readonly artifacts: BuiltArtifact[] = [],
  ) {
    super({ ...options, kind: whose === 'caller' ? 'invalid' : 'internal' });
    this.name = 'BuildFailure';
  }
}

/** Turns a recipe into an image. Idempotent: run again after a crash it goes on from the stages that are cached. */
export abstract class BuildPipeline {
  /** @throws BuildFailure, or whatever AbortSignal.reason holds when aborted */
  abstract run(input: PipelineInput, listener: PipelineListener, signal: AbortSignal): Promise<PipelineOutcome>;
}
