import { Platform1793000000000 } from './1793000000000-platform.js';
import { Recipes1793000001000 } from './1793000001000-recipes.js';
import { Builds1793000002000 } from './1793000002000-builds.js';
import { Vms1793000003000 } from './1793000003000-vms.js';
import { Revocations1793000004000 } from './1793000004000-revocations.js';
import { Identity1793000005000 } from './1793000005000-identity.js';
import { McpKeys1793000006000 } from './1793000006000-mcp-keys.js';
import { FieldTerms1793000011000 } from './1793000011000-field-terms.js';
import { AuditRetention1793000010000 } from './1793000010000-audit-retention.js';
import { LimitsAndAudit1793000007000 } from './1793000007000-limits-and-audit.js';
import { PackageConflicts1793000009000 } from './1793000009000-package-conflicts.js';
import { SpentBuildTime1793000008000 } from './1793000008000-spent-build-time.js';

/** Every migration, oldest first. Append only: a merged one is never edited. */
export const migrations = [
  Platform1793000000000,
  Recipes1793000001000,
  Builds1793000002000,
  Vms1793000003000,
  Revocations1793000004000,
  Identity1793000005000,
  McpKeys1793000006000,
  LimitsAndAudit1793000007000,
  SpentBuildTime1793000008000,
  PackageConflicts1793000009000,
  AuditRetention1793000010000,
  FieldTerms1793000011000,
];
