// Two builds of one lock, each from an empty cache, the second in other surroundings: is the ISO the same? `npm run bench -- reproducibility`
// docs/benchmarks.md says what is compared; the figures there come from here. `--keep` keeps the directory with everything that was made.
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inScratch } from './in-scratch.mjs';
import { compare } from './reproducibility/compare.mjs';
import { takeLock } from './reproducibility/take-lock.mjs';

const recipe = {
  name: 'reproducible',
  base_image: 'debian-bookworm',
  features: ['ssh'],
  packages: ['htop'],
  users: [
    {
      username: 'ada',
      password_hash:
        '$6$reproducible$ut515DsBYEJ0fzuTDVYkjMUudXS8aJlmxkNxPjX8BGbACyNXSDkKtqjHCp/6iihRPqUXzhnqAgqqYJ8kZxKlr/',
    },
  ],
  output: { compression: 'fast' },
};
const isRoot = process.getuid() === 0;
const surroundings = [
  { name: 'first', umask: '022', env: { TZ: 'UTC', LC_ALL: 'C.UTF-8', LANG: 'C.UTF-8' } },
  {
    name: 'second',
    umask: '077',
    env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    hostname: isRoot ? 'elsewhere' : undefined,
  },
];
const stop = new AbortController();

/** One build in a process of its own; its report. */
async function build({ name, umask, env, hostname }, scratch, shared) {
  const dir = path.join(scratch, name);
  const cwd = path.join(dir, 'cwd');
  await mkdir(cwd, { recursive: true, mode: 0o755 });
  const order = path.join(dir, 'order.json');
  await writeFile(order, JSON.stringify({ dir, ...shared }));
  const script = 'umask "$1"; if [ -n "$2" ]; then hostname "$2" || exit; fi; shift 2; exec "$@"';
  const command = [
    'sh',
    '-c',
    script,
    'sh',
    umask,
    hostname ?? '',
    process.execPath,
    path.join(import.meta.dirname, 'reproducibility/build-image.mjs'),
    order,
  ];
  const [program, ...args] = hostname ? ['unshare', '--uts', '--', ...command] : command;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
  const pass = () => child.kill('SIGTERM');
  stop.signal.addEventListener('abort', pass, { once: true });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  stop.signal.removeEventListener('abort', pass);
  stop.signal.throwIfAborted();
  if (code !== 0) throw new Error(`The ${name} build failed.`);
  return JSON.parse(await readFile(path.join(dir, 'report.json'), 'utf8'));
}

function printSeconds(reports) {
  const total = (seconds) => Object.values(seconds).reduce((sum, one) => sum + one, 0);
  const row = (of) =>
    Object.fromEntries(
      reports.map(({ seconds }, index) => [`${surroundings[index].name} s`, Number(of(seconds).toFixed(1))]),
    );
  // What stands in for the boot, and the checksums of what it hands over, say nothing.
  const stages = Object.keys(reports[0].seconds).filter((stage) => !['resolve', 'boot', 'evidence'].includes(stage));
  const only = (seconds) => Object.fromEntries(stages.map((stage) => [stage, seconds[stage]]));
  console.table({
    ...Object.fromEntries(stages.map((stage) => [stage, row((seconds) => seconds[stage])])),
    all: row((seconds) => total(only(seconds))),
  });
}

await inScratch(
  stop,
  { keep: process.argv.includes('--keep'), about: isRoot ? '' : '; not root, so both builds have the same host name' },
  async (scratch) => {
    const shared = await takeLock(recipe, scratch, { signal: stop.signal, log: (line) => console.log(line) });
    const reports = [];
    for (const one of surroundings) {
      reports.push(await build(one, scratch, shared));
      console.log(`${one.name}: ${reports.at(-1).inherited.replace(`${scratch}/`, '…/')}`);
    }
    printSeconds(reports);
    console.log(`ISO: ${(reports[0].parts.at(-1).sizeBytes / 2 ** 20).toFixed(0)} MiB`);
    for (const line of compare(
      reports.map(({ parts }) => parts),
      scratch,
    ))
      console.log(line);
  },
);
