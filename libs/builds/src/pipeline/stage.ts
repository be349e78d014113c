import type { AptSource, RecipeDto, Resolution } from '#libs/recipes';
import type { PackageLock } from './package-lock.js';
import type { PipelineInput, StageName } from './build-pipeline.port.js';

/** A layer of the image: a directory that overlayfs and squashfs stack. `key` names its content. */
export interface Layer {
  key: string;
  name: 'base' | 'packages' | 'recipe';
  dir: string;
}

/** What the stages have made so far. Each stage adds its part. */
export interface PipelineState {
  readonly input: PipelineInput;
  readonly recipe: RecipeDto;
  readonly resolution: Resolution;
  lock?: PackageLock;
  /** What the image's own apt fetches from. */
  aptSources: AptSource[];
  /** Bottom first. */
  layers: Layer[];
  boot?: { key: string; kernelPath: string; initrdPath: string };
  squashfs: { name: string; path: string; sha256: string }[];
  image?: { id: string; path: string; sha256: string; sizeBytes: number };
  bootReport?: { jsonPath: string; screenshotPath: string | undefined; serialPath: string };
}

export interface StageContext {
  /** Scratch directory of this run; gone afterwards. */
  readonly workDir: string;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
  readonly log: (line: string) => void;
}

/**
 * One step of the pipeline. The runner owns order, look-up by hash, timing, log lines, cancellation and whose fault a failure was; a stage
 * is only its own work. `make` fills an empty directory; `take` reads a filled one, new or cached, into the state.
 */
export abstract class BuildStage {
  abstract readonly name: StageName;
  /** To be raised when the stage makes something else from the same inputs: everything it cached is then forgotten. */
  abstract readonly version: number;
  /** A JSON value that decides what the stage makes; undefined: it is never cached. */
  abstract inputs(state: PipelineState): unknown;
  /** What `make` will leave on the disk, estimated from the lock; asked before fetch, so that a build fails early. 0 where it is little. */
  needsBytes(_state: PipelineState): Promise<number> {
    return Promise.resolve(0);
  }
  abstract make(state: PipelineState, outDir: string, context: StageContext): Promise<void>;
  abstract take(state: PipelineState, outDir: string, key: string): Promise<void>;
}
