/** What get_build_status says, as far as it is shown. */
export interface BuildProgress {
  status: string;
  stage: string | null;
  progress: number;
  stages: { stage: string; state: string; seconds: number | null; from_cache: boolean | null }[];
  queue_position: number | null;
  estimated_seconds_left: number | null;
  cancel_requested: boolean;
}

const barWidth = 24;
const nameWidth = 10;

/** One line, never wider than the terminal: `[####----]  45 %  squashfs 12 s, 3 of 6 stages from the cache, about 1 min 20 s left`. */
export function progressLine(
  state: BuildProgress,
  { stageSeconds, columns }: { stageSeconds: number; columns: number },
): string {
  const filled = Math.round((state.progress / 100) * barWidth);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${String(state.progress).padStart(3)} %`;
  const done = state.stages.filter((one) => one.state === 'done');
  const cached = done.filter((one) => one.from_cache).length;
  const parts = [
    now(state, stageSeconds),
    cached ? `${cached} of ${done.length} stages from the cache` : '',
    state.estimated_seconds_left === null ? '' : `about ${duration(state.estimated_seconds_left)} left`,
  ];
  // A line that wraps is not overwritten by the next one.
  return `${bar}  ${parts.filter(Boolean).join(', ')}`.slice(0, Math.max(1, columns - 1));
}

function now(state: BuildProgress, seconds: number): string {
  return state.stage && state.status !== 'pending' && !state.cancel_requested
    ? `${state.stage} ${duration(seconds)}`
    : waitingFor(state);
}

/** What a build that has not ended waits for, in words. */
export function waitingFor({
  status,
  stage,
  queue_position: before,
  cancel_requested: isCancelled,
}: BuildProgress): string {
  if (isCancelled) return 'cancelling';
  if (status === 'pending')
    return before ? `waiting for ${before} ${before === 1 ? 'build' : 'builds'}` : 'waiting for a worker';
  return stage ?? status;
}

/** A finished stage: what it took, and whether its result was there already. */
export function stageLine({ stage, seconds, from_cache: fromCache }: BuildProgress['stages'][number]): string {
  return `${stage.padEnd(nameWidth)} ${`${(seconds ?? 0).toFixed(1)} s`.padStart(8)}${fromCache ? '  from the cache' : ''}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
