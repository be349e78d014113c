import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** A layer differs because of its tree, or equal trees were compressed differently: then it is the squashfs stage. */
function lookInto([one, two], scratch) {
  const unpacked = [one, two].map(({ file }, index) => {
    const dir = path.join(scratch, `unpacked-${index}`);
    spawnSync('unsquashfs', ['-quiet', '-no-progress', '-force', '-dest', dir, file]);
    return dir;
  });
  const list = (file) =>
    spawnSync('unsquashfs', ['-llnumeric', '-UTC', file], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout.split('\n');
  const [left, right] = [list(one.file), list(two.file)].map((lines) => new Set(lines));
  const listed = [
    ...[...left].filter((line) => !right.has(line)).map((line) => `first:  ${line}`),
    ...[...right].filter((line) => !left.has(line)).map((line) => `second: ${line}`),
  ];
  const contents = spawnSync('diff', ['--recursive', '--brief', '--no-dereference', ...unpacked], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
    .stdout.split('\n')
    .filter(Boolean);
  return [...listed, ...contents.map((line) => line.replaceAll(`${scratch}/`, ''))];
}

/** The verdict, line by line; where the builds differ, the first stage that made something else, and in what. */
export function* compare([first, second], scratch) {
  for (const [index, { part, sha256 }] of first.entries())
    yield `${part}: ${sha256} ${second[index]?.sha256 === sha256 ? 'equal' : `against ${second[index]?.sha256}`}`;
  const differing = first.findIndex(({ sha256 }, index) => second[index]?.sha256 !== sha256);
  yield `equal: ${differing === -1 ? 'yes' : 'no'}`;
  if (differing === -1) return;
  const pair = [first[differing], second[differing]];
  const lines = pair[0].isLayer ? lookInto(pair, scratch) : [];
  const stage = pair[0].isLayer && !lines.length ? 'squashfs' : pair[0].stage;
  yield `first stage that differs: ${stage} (${pair[0].part})`;
  yield* lines.slice(0, 20).map((line) => `  ${line}`);
  if (lines.length > 20) yield `  and ${lines.length - 20} more`;
}
