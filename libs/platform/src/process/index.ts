export { runProgram, spawnProgram, killGroup, ProgramError, type Account, type ProgramResult, type RunOptions } from './run-program.js';
export { buildAccountName, findAccount, serviceAccountName, unprivilegedAccount } from './account.js';
