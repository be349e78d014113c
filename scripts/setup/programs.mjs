import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

const interruptGraceMs = 10_000;

/** Once it is tied to us: we may have died before it was, and nothing would end it then (prctl(2), PR_SET_PDEATHSIG). */
export const unlessOrphaned = ['sh', '-c', '[ "$PPID" = "$0" ] || exit 1; exec "$@"', String(process.pid)];

/**
 * Runs a program without a shell. A program that cannot be started has the code -1, so that callers have one way to fail.
 * `tied` ends it when this script is killed: what it left half done is redone by the next setup, which must not meet it still at work.
 * `whole` ends with it what it has started: a child that stays behind would hold its output, and so this call, for ever.
 * `signal` interrupts it as Ctrl-C does, and ends it where that is not enough.
 */
export function run(
  program,
  args,
  { cwd, env = process.env, inherit = false, input = false, tied = false, whole = false, signal } = {},
) {
  return new Promise((resolve) => {
    const stdio = inherit ? 'inherit' : [input ? 'inherit' : 'ignore', 'pipe', 'pipe'];
    const [first, ...rest] = tied
      ? ['setpriv', '--pdeathsig', 'KILL', '--', ...unlessOrphaned, program, ...args]
      : [program, ...args];
    const child = spawn(first, rest, { cwd, env, stdio, shell: false, detached: whole });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    child.stderr?.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    if (whole) child.on('exit', () => signalGroup(child.pid, 'SIGKILL'));
    const send = (name) => (whole ? signalGroup(child.pid, name) : child.kill(name));
    let patience;
    const interrupt = () => {
      send('SIGINT');
      patience = setTimeout(send, interruptGraceMs, 'SIGKILL');
    };
    if (signal?.aborted) interrupt();
    signal?.addEventListener('abort', interrupt);
    const end = (result) => {
      clearTimeout(patience);
      signal?.removeEventListener('abort', interrupt);
      resolve(result);
    };
    child.on('error', (error) => end({ code: -1, output: error.message }));
    child.on('close', (code) => end({ code: code ?? -1, output }));
  });
}

function signalGroup(leader, name) {
  try {
    process.kill(-leader, name);
  } catch {
    // Nobody is left.
  }
}

export function find(program, searchPath = process.env.PATH ?? '') {
  for (const dir of searchPath.split(path.delimiter).filter(Boolean)) {
    try {
      accessSync(path.join(dir, program), constants.X_OK);
      return path.join(dir, program);
    } catch {
      // Not in this directory.
    }
  }
  return undefined;
}

export function lastLines(output, count = 3) {
  return output
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(-count)
    .join(' | ');
}
