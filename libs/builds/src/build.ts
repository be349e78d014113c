import type { Fault } from '#libs/platform';
import { stageNames, type StageName } from './pipeline/build-pipeline.port.js';

export const buildStatuses = ['pending', 'building', 'testing', 'completed', 'failed', 'cancelled'] as const;
export type BuildStatus = (typeof buildStatuses)[number];

/** What may follow what. Back to pending: the worker was stopped, and another goes on; testing to building: it died, and another goes on. */
export const transitions: Record<BuildStatus, readonly BuildStatus[]> = {
  pending: ['building', 'cancelled'],
  building: ['testing', 'completed', 'failed', 'cancelled', 'pending'],
  testing: ['completed', 'failed', 'cancelled', 'pending', 'building'],
  completed: [],
  failed: [],
  cancelled: [],
};

export const unfinishedStatuses = buildStatuses.filter((status) => transitions[status].length > 0);
export const isFinal = (status: BuildStatus): boolean => transitions[status].length === 0;
/** A claimed build, whatever it was before. */
export const claimableStatuses = buildStatuses.filter(
  (status) => status === 'building' || transitions[status].includes('building'),
);
export const retryableStatuses: readonly BuildStatus[] = ['failed', 'cancelled'];

/** Why a build failed, as the caller is told. */
export interface BuildError {
  /** Stage that failed; null where it failed between stages. */
  stage: StageName | null;
  reason: string;
  message: string;
  hint: string | null;
  /** caller: the recipe must change; system: the factory's own fault. */
  fault: Fault;
  /** The last meaningful lines of the log. */
  last_lines: string[];
  /** Finds the fault in the factory's log. */
  request_id: string | null;
}

export interface Build {
  id: string;
  ownerId: string;
  name: string;
  recipe: Record<string, unknown>;
  recipeId: string | null;
  retryOf: string | null;
  status: BuildStatus;
  stage: StageName | null;
  progress: number;
  error: BuildError | null;
  imageSha256: string | null;
  /** What the image calls itself; its labels are made of it. Only of a completed build. */
  imageId: string | null;
  /** Whether the image passed its boot; null while there is none. */
  verified: boolean | null;
  cancelRequestedAt: Date | null;
  logBytes: number;
  artifactsDeletedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

export interface BuildStageRun {
  stage: StageName;
  seconds: number | null;
  fromCache: boolean | null;
  startedAt: Date;
  finishedAt: Date | null;
}

export interface BuildArtifact {
  id: string;
  buildId: string;
  name: string;
  mediaType: string;
  sizeBytes: number;
  sha256: string;
  storeKey: string;
}

/** Share of the whole work, in percent. */
export const stageWeights: Record<StageName, number> = {
  resolve: 3,
  fetch: 12,
  base: 15,
  packages: 25,
  configure: 5,
  initramfs: 8,
  squashfs: 15,
  image: 4,
  boot: 12,
  evidence: 1,
};

/** Progress with everything before `stage` done and `fraction` of it; never 100, which only a completed build has. */
export function progressAt(stage: StageName, fraction: number): number {
  const before = stageNames.slice(0, stageNames.indexOf(stage)).reduce((sum, name) => sum + stageWeights[name], 0);
  return Math.min(99, Math.floor(before + stageWeights[stage] * clamp(fraction)));
}

/** What stages used to take, in seconds; a stage that never ran is not in it. */
export type TypicalSeconds = Partial<Record<StageName, number>>;

/**
 * Seconds until the end, from what the stages took before; null where too little is known.
 * A stage that takes longer than it used to counts as nearly done.
 */
export function secondsLeft(runs: readonly BuildStageRun[], typical: TypicalSeconds, now: Date): number | null {
  const ahead = stageNames.filter((stage) => !runs.some((run) => run.stage === stage && run.finishedAt));
  if (ahead.some((stage) => typical[stage] === undefined)) return null;
  const left = ahead.map((stage) => {
    const running = runs.find((run) => run.stage === stage);
    const spent = running ? (now.getTime() - running.startedAt.getTime()) / 1000 : 0;
    return Math.max(0, (typical[stage] ?? 0) - spent);
  });
  return Math.ceil(left.reduce((sum, seconds) => sum + seconds, 0));
}

function clamp(fraction: number): number {
  return Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
}
