// Brings this checkout to where it can run: Debian packages, npm packages, system accounts, build. Runs on Node 20 with nothing
// installed; quiet and quick when nothing is to be done.
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { accountsStep } from './setup/accounts.mjs';
import { buildStep } from './setup/build.mjs';
import { dependenciesStep } from './setup/dependencies.mjs';
import { checkHost } from './setup/host.mjs';
import { withLock } from './setup/lock.mjs';
import { packagesStep } from './setup/packages.mjs';
import { SetupProblem, runScript } from './setup/problem.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** In this order: accounts need the package passwd, the build needs the npm packages. */
const steps = [packagesStep, accountsStep, dependenciesStep, buildStep];

export const productContext = { root, packageList: path.join(root, 'debian-packages.txt') };

/** @throws SetupProblem: one sentence that says what to do */
export async function setup({ report = (line) => console.error(line), context = productContext } = {}) {
  const warning = checkHost();
  const first = await firstPending(context);
  if (first === undefined) return;
  if (warning) report(warning);
  try {
    await withLock(context.root, report, async () => {
      for (const step of steps) {
        const what = await step.pending(context);
        if (what === undefined) continue;
        report(`${what} …`);
        await step.perform(context);
      }
    });
  } catch (error) {
    throw systemProblem(error, context.root);
  }
}

async function firstPending(context) {
  for (const step of steps) {
    const what = await step.pending(context);
    if (what !== undefined) return what;
  }
  return undefined;
}

function systemProblem(error, dir) {
  if (error.code === 'ENOSPC') return new SetupProblem(`The disk of ${dir} is full: free some space and start again.`);
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS')
    return new SetupProblem(
      `${error.path ?? dir} cannot be written: run this as the owner of ${dir}, or give it to this account (chown -R).`,
    );
  return error;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await runScript(() => setup());
