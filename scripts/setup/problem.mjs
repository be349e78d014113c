/** What stops a setup: one sentence that says what is wrong and what to do. Anything else that is thrown is a mistake of ours. */
export class SetupProblem extends Error {
  name = 'SetupProblem';
}

/** Runs the main function of a script: a problem becomes one line on stderr, everything ends in an exit code. */
export async function runScript(main) {
  try {
    process.exitCode = (await main(process.argv.slice(2))) ?? 0;
  } catch (error) {
    console.error(error instanceof SetupProblem ? error.message : error);
    process.exitCode = 1;
  }
}
