import {
  isFinal,
  secondsLeft,
  type Build,
  type BuildArtifact,
  type BuildStageRun,
  type TypicalSeconds,
} from './build.js';
import type { BuildArtifactDetails, BuildDetails, BuildStageState, BuildState, BuildSummary } from './builds.dto.js';

/** How builds look from outside. */
export function summaryOf(build: Build): BuildSummary {
  const { id, name, status, stage, progress, recipe, verified, retryOf, createdAt, finishedAt } = build;
  return {
    build_id: id,
    name,
    status,
    stage,
    progress,
    base_image: typeof recipe.base_image === 'string' ? recipe.base_image : '',
    features: Array.isArray(recipe.features) ? recipe.features.map(String) : [],
    verified,
    retry_of: retryOf,
    created_at: createdAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
  };
}

export function detailsOf(build: Build, runs: BuildStageRun[], artifacts: BuildArtifact[]): BuildDetails {
  const { id, name, status, stage, progress, recipe, recipeId, retryOf, imageSha256, verified, error } = build;
  return {
    build_id: id,
    name,
    status,
    stage,
    progress,
    recipe,
    recipe_id: recipeId,
    retry_of: retryOf,
    stages: stagesOf(build, runs),
    artifacts: artifacts.map(artifactOf),
    image_sha256: imageSha256,
    verified,
    error,
    created_at: build.createdAt.toISOString(),
    started_at: build.startedAt?.toISOString() ?? null,
    finished_at: build.finishedAt?.toISOString() ?? null,
    artifacts_deleted_at: build.artifactsDeletedAt?.toISOString() ?? null,
  };
}

export function stateOf(
  build: Build,
  runs: BuildStageRun[],
  { typical, queuePosition, now }: { typical: TypicalSeconds; queuePosition: number | null; now: Date },
): BuildState {
  const { id, name, status, stage, progress, verified, error } = build;
  return {
    build_id: id,
    name,
    status,
    stage,
    progress,
    stages: stagesOf(build, runs),
    queue_position: queuePosition,
    estimated_seconds_left: isFinal(status) ? null : secondsLeft(status === 'pending' ? [] : runs, typical, now),
    cancel_requested: build.cancelRequestedAt !== null,
    verified,
    error,
    updated_at: build.updatedAt.toISOString(),
    next_step: nextStepOf(build),
  };
}

export const artifactOf = ({ name, mediaType, sizeBytes, sha256 }: BuildArtifact): BuildArtifactDetails => ({
  name,
  media_type: mediaType,
  size_bytes: sizeBytes,
  sha256,
});

export function nextStepOf({ status, error }: Pick<Build, 'status' | 'error'>): string {
  switch (status) {
    case 'pending':
    case 'building':
    case 'testing':
      return 'Call get_build_status again in some seconds.';
    case 'completed':
      return 'Call get_iso_download_url for the image.';
    case 'cancelled':
      return 'Call retry_build to build it after all.';
    case 'failed':
      return error?.fault === 'caller'
        ? 'Correct the recipe as the error says, then call create_build.'
        : 'Call retry_build; finished stages are not repeated.';
  }
}

function stagesOf({ status }: Build, runs: BuildStageRun[]): BuildStageState[] {
  const running = status === 'building' || status === 'testing';
  return runs.map(({ stage, seconds, fromCache, finishedAt }) => ({
    stage,
    state: finishedAt ? 'done' : running ? 'running' : 'stopped',
    seconds,
    from_cache: fromCache,
  }));
}
