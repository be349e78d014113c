export {
  AppError,
  clip,
  errorMessage,
  invalid,
  invalidArguments,
  notFound,
  type AppErrorOptions,
  type ErrorKind,
  type Fault,
  type Violation,
} from './errors/app-error.js';
export {
  Settings,
  loadClientSettings,
  loadSettings,
  type ClientSettings,
  type SettingsOutcome,
} from './config/settings.js';
export type { SettingDefinition } from './config/setting-definition.js';
export { clientSettingDefinitions, settingDefinitions } from './config/setting-definitions.js';
export {
  CallerResolver,
  anonymousCaller,
  ownGrant,
  type Caller,
  type CallerEvidence,
  type Grant,
} from './caller/caller.js';
export { CallerService, credentialsRequired, invalidApiKey } from './caller/caller.service.js';
export type { AuditEdge, AuditEvent, RefusedCredentials } from './audit/audit-entry.js';
export { AuditLog } from './audit/audit-log.js';
export { PacedReader, type ReadingRate } from './flow/paced-reader.js';
export { TokenBucket } from './flow/token-bucket.js';
export { objectIdIn } from './audit/object-id.js';
export { AnonymousDisk, type DiskMeasure } from './limits/anonymous-disk.service.js';
export { CallLimits, widerLimits } from './limits/call-limits.js';
export { AccountKeys, type AccountKey } from './caller/account-keys.js';
export { HashingQueue } from './limits/hashing-queue.js';
export { CheckedGrants } from './caller/checked-grants.js';
export { ClientAddressReader, normaliseAddress } from './caller/client-address.js';
export { afterHostTime, hostTimeout, hostTooSlow, type HostLoad } from './host-time/host-time.js';
export { hostLoad } from './host-time/host-load.js';
export {
  asLines,
  askProgram,
  asText,
  buildAccount,
  buildAccountName,
  buildFilter,
  discardTree,
  diskUsage,
  findAccount,
  isLate,
  killGroup,
  ProgramError,
  removeTree,
  runInNamespaces,
  runProgram,
  serviceAccountName,
  sessionBehindOthers,
  spawnProgram,
  unprivilegedAccount,
  untilAborted,
  vmAccounts,
  type Account,
  type NamespaceOptions,
  type ProgramResult,
  type RunOptions,
  type SpawnOptions,
} from './process/index.js';
export { FactorySecret, keepSecret } from './secrets/factory-secret.js';
export {
  bytesOfUuid,
  principalBytes,
  readClaims,
  readPrincipal,
  signClaims,
  uuidBytes,
  uuidOfBytes,
  writePrincipal,
} from './secrets/signed-claims.js';
export { EmbeddedPostgres, peerMap } from './database/embedded-postgres.js';
export { embeddedPostgresVersion } from './database/postgres-binaries.js';
export { DatabaseModule } from './database/database.module.js';
export {
  dataSourceOptions,
  databaseUnreachable,
  migrate,
  type EntityClass,
  type MigrationClass,
} from './database/migrate.js';
export { DATABASE_URL, EventBus, type Subscription } from './events/event-bus.js';
export { Job, type JobDefinition } from './queue/job.decorator.js';
export { QueueService } from './queue/queue.service.js';
export { canonicalJson } from './idempotency/canonical-json.js';
export { IdempotencyKeyEntity } from './idempotency/idempotency-key.entity.js';
export { IdempotencyService } from './idempotency/idempotency.service.js';
export { checkInput, parseInput } from './validation/input.js';
export { parseJson } from './validation/bounded-json.js';
export { cutList } from './validation/input-shape.js';
export { nearestName } from './validation/nearest-name.js';
export { checkStructure, pointer } from './validation/structure.js';
export { isUuid } from './validation/uuid.js';
export {
  Doc,
  namedSchemas,
  Out,
  schemaOf,
  schemaRef,
  type DtoClass,
  type JsonSchema,
} from './validation/json-schema.js';
export { Revocations } from './caller/revocations.js';
export { clientSignal } from './http/client-signal.js';
export { CurrentCaller } from './http/current-caller.decorator.js';
export { FlowingAnswers, mostAnswersOfAddress } from './http/flowing-answers.js';
export { HttpTimeouts } from './http/http-timeouts.js';
export { OpenResponses } from './http/open-responses.js';
export {
  checkRouteAccess,
  PeopleOnly,
  PUBLIC_ROUTE,
  PublicRoute,
  ReadOnlyRoute,
  ROUTE_PEOPLE,
  ROUTE_READ_ONLY,
  ROUTE_TOOLSET,
  Toolset,
  UncountedRoute,
  type RouteAccess,
} from './http/route-access.js';
export { Refuses, refusalsOf, type Refusals } from './http/route-refusals.js';
export { setUpHttp, setUpServer } from './http/http-setup.js';
export { Problem } from './http/problem.dto.js';
export { errorHeaders, sendErrorBody, statusOf, toAppError } from './http/problem.js';
export { BodyReader, bodyTooLarge } from './http/body-reader.js';
export { drainLimits, requireJson } from './http/unread-body.js';
export { bodyLimits } from './http/body-budget.js';
export { withIdempotencyKey } from './http/with-idempotency-key.js';
export { pageUrl } from './http/page-url.js';
export { isForPrograms, RequestGuard } from './http/request-guard.js';
export { requestIdOf } from './http/request-id.js';
export { Metrics } from './operations/metrics.js';
export { Readiness } from './operations/readiness.js';
export { PlatformModule, type PlatformOptions } from './platform.module.js';
export { productRoot, productVersion } from './config/product.js';
