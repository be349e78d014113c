export { runProgram, spawnProgram, killGroup, ProgramError, type Account, type ProgramResult, type RunOptions } from './run-program.js';
export { buildAccount, buildAccountName, findAccount, serviceAccountName, unprivilegedAccount } from './account.js';
export { runInNamespaces, type NamespaceOptions } from './namespaces.js';
