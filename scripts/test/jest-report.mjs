import path from 'node:path';

export const tiers = ['unit', 'arch', 'medium', 'e2e', 'live'];

/** The tier of a test file; the same rules as the projects of jest.config.js. */
export function tierOf(file, root) {
  const name = path.relative(root, file);
  const inTest = /^test\/(arch|e2e|live)\//.exec(name);
  if (inTest) return inTest[1];
  return name.endsWith('.medium.spec.ts') ? 'medium' : 'unit';
}

/** @returns one row per tier: { name, passed, failed, seconds, skipped: names[] } from the JSON that jest writes */
export function countTests(report, root) {
  const rows = new Map();
  for (const file of report.testResults) {
    const tier = tierOf(file.name, root);
    const row = rows.get(tier) ?? { name: tier, passed: 0, failed: 0, skipped: [], seconds: 0 };
    rows.set(tier, row);
    const failedBefore = row.failed;
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') row.passed += 1;
      else if (status === 'failed') row.failed += 1;
      else row.skipped.push(`${path.relative(root, file.name)}: ${fullName}`);
    }
    // A file that does not load, or breaks outside of its tests, has no failed test to count.
    if (file.status === 'failed' && row.failed === failedBefore) row.failed += 1;
    row.seconds += Math.max(0, file.endTime - file.startTime) / 1000;
  }
  return [...rows.values()].sort((a, b) => tiers.indexOf(a.name) - tiers.indexOf(b.name));
}

/** @returns the rows, with a failure of jest's own where it failed although no test did (a broken set-up), or where no test ran */
export function jestRows(report, exitCode, root) {
  const rows = report ? countTests(report, root) : [];
  const explained = rows.some(({ failed }) => failed > 0);
  const ran = rows.some(({ passed }) => passed > 0);
  return explained || (ran && exitCode === 0)
    ? rows
    : [...rows, { name: 'jest itself', passed: 0, failed: 1, skipped: [], seconds: 0 }];
}
