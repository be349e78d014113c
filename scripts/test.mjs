// `npm test`: sets this checkout up, then runs every check, goes on after a failure, and ends with the totals.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { productContext, root, setup } from './setup.mjs';
import { pinnedNode, pinnedNodeEnvironment, systemNodeEnvironment } from './setup/pinned-node.mjs';
import { SetupProblem, runScript } from './setup/problem.mjs';
import { run } from './setup/programs.mjs';
import { jestRows } from './test/jest-report.mjs';
import { select, staticChecks } from './test/selection.mjs';
import { summarise } from './test/summary.mjs';

async function timed(work) {
  const began = performance.now();
  const result = await work();
  return { ...result, seconds: (performance.now() - began) / 1000 };
}

async function staticCheck(name) {
  console.log(`\n== ${name}`);
  const { code, seconds } = await timed(() => run('npm', ['run', '--silent', ...staticChecks[name]], { cwd: root, env: systemNodeEnvironment(), inherit: true, tied: true }));
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [], seconds };
}

async function jest(args) {
  console.log('\n== jest');
  const dir = mkdtempSync(path.join(tmpdir(), 'openfactory-jest-'));
  const reportFile = path.join(dir, 'report.json');
  try {
    const options = ['--experimental-vm-modules', '--no-warnings', path.join(root, 'node_modules/jest/bin/jest.js'), '--maxWorkers=2', '--ci', '--json', `--outputFile=${reportFile}`];
    const { code } = await run(pinnedNode(root), [...options, ...args], { cwd: root, env: pinnedNodeEnvironment(root), inherit: true, tied: true });
    return jestRows(readReport(reportFile), code, root);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // Jest ended before it could write one; its exit code tells.
  }
}

async function prepare() {
  try {
    await setup({ report: (line) => console.log(line), context: { ...productContext, testPackageList: path.join(root, 'test/debian-packages.txt') } });
    return [];
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    console.error(error.message);
    return [{ name: 'setup', passed: 0, failed: 1, skipped: [], seconds: 0 }];
  }
}

await runScript(async (args) => {
  const { checks, jest: jestArguments } = select(args);
  const rows = await prepare();
  if (rows.length === 0) {
    for (const name of checks) rows.push(await staticCheck(name));
    if (jestArguments) rows.push(...(await jest(jestArguments)));
  }
  const { text, total } = summarise(rows);
  console.log(text);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
});
