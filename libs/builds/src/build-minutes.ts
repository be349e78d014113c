/** A time that a build ran, as seconds before now: from the earlier (greater) to the later; `to` is 0 while it runs. */
export interface BuildRun {
  from: number;
  to: number;
}

export const daySeconds = 24 * 3600;

/** Whole seconds that these builds ran within the last day, those of builds beside each other together. Rounded: two hours are a hair less in floating point. */
export function secondsWithinDay(runs: readonly BuildRun[]): number {
  return Math.round(runs.reduce((sum, run) => sum + overlap(run, 0), 0));
}

/**
 * When room comes: how long until fewer than `most` seconds of these runs lie within the last day, if nothing runs on. Bisected, because builds run
 * beside each other and leave the day together.
 */
export function secondsUntilRoom(runs: readonly BuildRun[], most: number): number {
  let [early, late] = [0, daySeconds];
  while (late - early > 1) {
    const middle = (early + late) / 2;
    if (runs.reduce((sum, run) => sum + overlap(run, middle), 0) < most) late = middle;
    else early = middle;
  }
  return Math.ceil(late);
}

/** The part of a run that lies within a day, `later` seconds from now. */
const overlap = ({ from, to }: BuildRun, later: number) => Math.max(0, Math.min(from, daySeconds - later) - to);
