// `npm test`: sets this checkout up, then runs every check, goes on after a failure, and ends with the totals, also where it is interrupted.
import path from 'node:path';
import { productContext, root, setup } from './setup.mjs';
import { SetupProblem, runScript } from './setup/problem.mjs';
import { runJest, runStaticChecks } from './test/checks.mjs';
import { select } from './test/selection.mjs';
import { summarise } from './test/summary.mjs';

const failure = (name) => ({ name, passed: 0, failed: 1, skipped: [], seconds: 0 });

async function prepare() {
  try {
    await setup({
      report: (line) => console.log(line),
      context: { ...productContext, testPackageList: path.join(root, 'test/debian-packages.txt') },
    });
    return [];
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    console.error(error.message);
    return [failure('setup')];
  }
}

await runScript(async (args) => {
  const { checks, jest } = select(args);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interruption.abort());
  const rows = await prepare();
  if (rows.length === 0 && !interruption.signal.aborted) {
    const where = { root, signal: interruption.signal };
    rows.push(...(await Promise.all([runStaticChecks(checks, where), jest ? runJest(jest, where) : []])).flat());
  }
  if (interruption.signal.aborted) rows.push(failure('interrupted'));
  const { text, total } = summarise(rows);
  console.log(text);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
});
