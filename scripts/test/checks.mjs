import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pinnedNode, pinnedNodeEnvironment, systemNodeEnvironment } from '../setup/pinned-node.mjs';
import { run } from '../setup/programs.mjs';
import { jestRows } from './jest-report.mjs';
import { staticChecks } from './selection.mjs';

/** One after the other, beside the tests; each tells what it has to say in one piece when it is done. An aborted signal ends the one that runs, and begins no other. */
export async function runStaticChecks(names, { root, signal }) {
  const rows = [];
  for (const name of names) {
    if (signal.aborted) break;
    const began = performance.now();
    const { code, output } = await run('npm', ['run', '--silent', ...staticChecks[name]], {
      cwd: root,
      env: systemNodeEnvironment(),
      tied: true,
      whole: true,
      signal,
    });
    const words = output.trim();
    console.log(`\n== ${name}: ${code === 0 ? 'passed' : 'failed'}${words ? `\n${words}` : ''}\n`);
    rows.push({
      name,
      passed: code === 0 ? 1 : 0,
      failed: code === 0 ? 0 : 1,
      skipped: [],
      seconds: (performance.now() - began) / 1000,
    });
  }
  return rows;
}

export async function runJest(args, { root, signal }) {
  console.log('\n== jest');
  const dir = mkdtempSync(path.join(tmpdir(), 'openfactory-jest-'));
  const reportFile = path.join(dir, 'report.json');
  try {
    const options = [
      '--experimental-vm-modules',
      '--no-warnings',
      path.join(root, 'node_modules/jest/bin/jest.js'),
      '--maxWorkers=2',
      '--ci',
      '--json',
      `--outputFile=${reportFile}`,
    ];
    const { code } = await run(pinnedNode(root), [...options, ...args], {
      cwd: root,
      env: pinnedNodeEnvironment(root),
      inherit: true,
      tied: true,
      whole: true,
      signal,
    });
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
