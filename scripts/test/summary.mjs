/** @returns the table, the names of the skipped tests, and as the very last line the totals */
export function summarise(rows) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const lines = [
    '',
    `${'check'.padEnd(14)}${'passed'.padStart(8)}${'failed'.padStart(8)}${'skipped'.padStart(9)}${'seconds'.padStart(9)}`,
  ];
  for (const { name, passed, failed, skipped, seconds } of rows) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped.length;
    lines.push(
      `${name.padEnd(14)}${String(passed).padStart(8)}${String(failed).padStart(8)}${String(skipped.length).padStart(9)}${seconds.toFixed(1).padStart(9)}`,
    );
  }
  const skippedNames = rows.flatMap(({ skipped }) => skipped);
  if (skippedNames.length) lines.push('', 'Skipped:', ...skippedNames.map((name) => `  ${name}`));
  lines.push('', `${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`);
  return { text: lines.join('\n'), total };
}
