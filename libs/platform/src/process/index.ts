export {
  askProgram,
  isLate,
  runProgram,
  spawnProgram,
  killGroup,
  ProgramError,
  type Account,
  type ProgramResult,
  type RunOptions,
  type SpawnOptions,
} from './run-program.js';
export {
  buildAccount,
  buildAccountName,
  findAccount,
  serviceAccountName,
  unprivilegedAccount,
  vmAccounts,
} from './account.js';
export { buildFilter } from './seccomp/build-filter.js';
export { runInNamespaces, sessionBehindOthers, type NamespaceOptions } from './namespaces.js';
export { untilAborted } from './until-aborted.js';
export { diskUsage, discardTree, removeTree, type SubordinateOwner } from './strangers-files.js';
export { asLines, asText } from './program-output.js';
