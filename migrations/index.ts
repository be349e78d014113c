import { Platform1793000000000 } from './1793000000000-platform.js';

/** Every migration, oldest first. Append only: a merged one is never edited. */
export const migrations = [Platform1793000000000];
