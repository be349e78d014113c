import { define } from '../setting-definition.js';
import { httpUrl, integer } from '../setting-parsers.js';

/** Mirrors may carry credentials (a private mirror); they never reach a log or an image. */
const mirror = (value?: string): string | undefined => httpUrl(value)?.href.replace(/\/$/, '');

/** Packages, builds and what they leave: read by libs/recipes and libs/builds. */
export const buildSettings = {
  debianMirror: define({
    name: 'OPENFACTORY_DEBIAN_MIRROR',
    meaning: 'Debian mirror for package indices and builds.',
    shownDefault: 'the host’s own apt sources, else the distribution’s default',
    secret: true,
    parse: mirror,
  }),
  ubuntuMirror: define({
    name: 'OPENFACTORY_UBUNTU_MIRROR',
    meaning: 'Ubuntu mirror for package indices and builds.',
    shownDefault: 'the host’s own apt sources, else the distribution’s default',
    secret: true,
    parse: mirror,
  }),
  packageIndexRefreshHours: define({
    name: 'OPENFACTORY_PACKAGE_INDEX_REFRESH_HOURS',
    meaning: 'Hours between two refreshes of the package indices.',
    shownDefault: '6',
    parse: integer(1, 720, 6),
  }),
  cacheMaxGb: define({
    name: 'OPENFACTORY_CACHE_MAX_GB',
    meaning:
      'GiB that the build cache (stage results and fetched packages) may take; what was used least recently goes first.',
    shownDefault: '50',
    parse: integer(1, 100_000, 50),
  }),
  buildConcurrency: define({
    name: 'OPENFACTORY_BUILD_CONCURRENCY',
    meaning: 'Builds that one worker process runs at once.',
    shownDefault: '1',
    parse: integer(1, 64, 1),
  }),
  buildMaxQueuedPerCaller: define({
    name: 'OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER',
    meaning: 'Builds of one caller that may wait or run at once; further ones are refused.',
    shownDefault: '10',
    parse: integer(1, 10_000, 10),
  }),
  buildRecordsMbPerCaller: define({
    name: 'OPENFACTORY_BUILD_RECORDS_MB_PER_CALLER',
    meaning:
      'MiB of recipes and logs of one caller’s builds, ended ones too; beyond it new ones are refused until some are deleted.',
    shownDefault: '512',
    parse: integer(1, 1_000_000, 512),
  }),
  anonymousBuilds: define({
    name: 'OPENFACTORY_ANONYMOUS_BUILDS',
    meaning:
      'Builds of one anonymous caller that may wait or run at once; never more than OPENFACTORY_BUILD_MAX_QUEUED_PER_CALLER.',
    shownDefault: '10',
    parse: integer(0, 10_000, 10),
  }),
  anonymousBuildMinutesPerDay: define({
    name: 'OPENFACTORY_ANONYMOUS_BUILD_MINUTES_PER_DAY',
    meaning:
      'Minutes that the builds of one anonymous caller may have run in the last 24 hours; then no further one is taken.',
    shownDefault: '600',
    parse: integer(0, 1_000_000, 600),
  }),
  artifactRetentionDays: define({
    name: 'OPENFACTORY_ARTIFACT_RETENTION_DAYS',
    meaning: 'Days after its end that the files of a build are kept; the record of the build stays.',
    shownDefault: '90',
    parse: integer(1, 36_500, 90),
  }),
  downloadUrlMinutes: define({
    name: 'OPENFACTORY_DOWNLOAD_URL_MINUTES',
    meaning: 'Minutes that a signed download URL is valid.',
    shownDefault: '15',
    parse: integer(1, 10_080, 15),
  }),
} as const;
