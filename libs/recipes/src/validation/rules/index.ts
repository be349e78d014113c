import {
  fileOwners,
  groupRules,
  knownGroups,
  rootRules,
  someLogin,
  sudoWithoutPassword,
  uniqueAccounts,
  userRules,
} from './account-rules.js';
import { daemonConflicts } from './daemon-rules.js';
import { notEffectiveYet } from './effect-rules.js';
import { fileRules } from './file-rules.js';
import { kernelRules } from './kernel-rules.js';
import { hostNameRules, interfaceRules } from './network-rules.js';
import { packageRules, repositoryRules } from './package-rules.js';
import { scriptRules, shellRules } from './program-rules.js';
import type { Rule } from './rule.js';
import { servicePlaces } from './service-places.js';
import { portConflicts, rootLogin, serviceDetails } from './service-rules.js';
import { assertionRules } from './test-rules.js';

/** Every check across fields, in the order of the report. */
export const rules: readonly Rule[] = [
  packageRules,
  repositoryRules,
  rootLogin,
  portConflicts,
  daemonConflicts,
  serviceDetails,
  servicePlaces,
  uniqueAccounts,
  userRules,
  sudoWithoutPassword,
  rootRules,
  groupRules,
  knownGroups,
  shellRules,
  someLogin,
  fileRules,
  fileOwners,
  interfaceRules,
  hostNameRules,
  kernelRules,
  scriptRules,
  assertionRules,
  notEffectiveYet,
];
