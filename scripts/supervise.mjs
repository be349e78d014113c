import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { unlessOrphaned } from './setup/programs.mjs';

const repeatWithinMs = 1_000;
const lookForParentEveryMs = 500;

/**
 * Runs a program in the place of this script: same stdin, stdout and stderr, its exit code is ours.
 *
 * The child leads a session of its own, so Ctrl-C in a terminal, which signals the whole foreground group, reaches this script only;
 * npm passes the same Ctrl-C on once more. Of such a volley the child gets one signal; what a later Ctrl-C means is the child's affair.
 * setpriv(1) makes the child end (TERM) when this script is killed.
 */
export function supervise(program, args, { env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...unlessOrphaned, program, ...args], {
      stdio: 'inherit',
      detached: true,
      env,
    });
    let lastSignalAt = -Infinity;
    const forward = (signal) => {
      const isRepeat = performance.now() - lastSignalAt < repeatWithinMs;
      lastSignalAt = performance.now();
      if (!isRepeat) child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    const watch = whenNpmEnds(() => forward('SIGTERM'));
    child.on('error', (error) => {
      console.error(`${program} could not be started (${error.message}): run "npm run setup".`);
      clearInterval(watch);
      resolve(1);
    });
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** npm passes a SIGTERM on to the shell between us only: that our parent is gone is then all there is to see. */
function whenNpmEnds(stop) {
  if (!process.env.npm_lifecycle_event) return undefined;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, lookForParentEveryMs);
  return watch;
}
