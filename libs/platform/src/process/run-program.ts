import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { AppError, errorMessage } from '../errors/app-error.js';
import { afterHostTime } from '../host-time/host-time.js';

/** An unprivileged account that a program runs under. Both numbers, because a name would be looked up at the wrong time. */
export interface Account {
  uid: number;
  gid: number;
  /** Supplementary groups; without them it has none. */
  groups?: readonly number[];
}

export interface ProgramOptions {
  cwd?: string;
  /** The whole environment of the program; nothing is inherited but PATH, LANG and TZ. */
  env?: Record<string, string>;
  /** Run under this account (needs root). */
  account?: Account;
  /** Lets the program gain privileges by a setuid bit; only newuidmap(1) needs it, to make a user namespace. */
  allowSetuid?: boolean;
}

export interface SpawnOptions extends ProgramOptions {
  /** What it gets when we die. Default KILL. */
  deathSignal?: 'KILL' | 'INT';
  /** It lives on when we die. It is for the caller to give it no pipe to us that it must not lose: see `output`. */
  survives?: boolean;
  /** Descriptors that it gets as 3, 4 and so on: open ones of ours, or new pipes (`child.stdio[3]`). */
  inherit?: readonly (number | 'pipe')[];
  /** An open descriptor for its standard output and errors instead of pipes; its input is then empty. */
  output?: number;
}

export interface RunOptions extends ProgramOptions {
  /** The program's process group is killed after so much host time, which a busy host has less of (host-time/host-time.ts). */
  deadlineMs: number;
  /** Bytes kept of each of stdout and stderr; a program that prints more is killed. Default 1 MiB. */
  outputCapBytes?: number;
  /** Text for standard input; the only way a secret may reach a program. */
  input?: string;
  /** Contents that it finds behind its descriptors 3, 4 and so on, to be read to the end. */
  handed?: readonly Buffer[];
  signal?: AbortSignal;
  /** Takes stdout as it comes instead of collecting it (the cap then holds for stderr only). May return a promise to slow the program down. */
  onStdout?: (chunk: Buffer) => void | Promise<void>;
  /** From TERM to KILL, where the program is ended before its time. Default 2 s. */
  killGraceMs?: number;
  /** Exit codes that are no failure. Default: 0. */
  okCodes?: number[];
}

export interface ProgramResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A program failed. The message names the program and its last words, never its arguments' values. */
export class ProgramError extends Error {
  constructor(
    readonly program: string,
    readonly why: 'missing' | 'exit' | 'signal' | 'deadline' | 'output' | 'aborted',
    detail: string,
    readonly result?: ProgramResult,
  ) {
    super(`${program} ${detail}`);
    this.name = 'ProgramError';
  }
}

const killGraceMs = 2_000;

/** Ends the whole group: TERM, and KILL after a grace. The child leads its own group (detached). */
export function killGroup(child: ChildProcess, graceMs = killGraceMs): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const pid = child.pid;
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is already gone.
    }
  };
  signalGroup('SIGTERM');
  const timer = setTimeout(() => signalGroup('SIGKILL'), graceMs);
  timer.unref();
}

/**
 * Once it is tied to us, a program looks whether we live still: whoever dies between making a child and the child's tying itself to them (prctl(2),
 * PR_SET_PDEATHSIG) would leave it alone in the world. Static; its words are arguments.
 */
const unlessOrphaned = (): string[] => ['sh', '-c', '[ "$PPID" = "$0" ] || exit 1; exec "$@"', String(process.pid)];

/**
 * setpriv(1) makes the child die with us even when we are killed with SIGKILL (PR_SET_PDEATHSIG, prctl(2)), and drops
 * privileges after that is set, which Node's own uid option would undo. The child leads a session of its own.
 */
export function spawnProgram(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin', TZ } = process.env;
  const tie = options.survives ? ['--'] : [`--pdeathsig=${options.deathSignal ?? 'KILL'}`, '--', ...unlessOrphaned()];
  const standard =
    options.output === undefined
      ? (['pipe', 'pipe', 'pipe'] as const)
      : (['ignore', options.output, options.output] as const);
  return spawn(
    'setpriv',
    [...dropTo(options.account), ...(options.allowSetuid ? [] : ['--no-new-privs']), ...tie, program, ...args],
    {
      cwd: options.cwd ?? '/',
      env: { PATH, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...(TZ && { TZ }), ...options.env },
      stdio: [...standard, ...(options.inherit ?? [])],
      detached: true,
      shell: false,
    },
  );
}

/** What comes before a program that takes an account on only after something of root's; it dies with us as well. */
export const asAccount = (account: Account): string[] => [
  'setpriv',
  ...dropTo(account),
  '--pdeathsig=KILL',
  '--',
  ...unlessOrphaned(),
];

function dropTo(account: Account | undefined): string[] {
  if (!account) return [];
  return [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    account.groups?.length ? `--groups=${account.groups.join(',')}` : '--clear-groups',
  ];
}

/**
 * Runs a program to its end. No shell, an argument array, a deadline, an output cap; on deadline, cap or abort the whole
 * process group is killed before the promise settles.
 * @throws ProgramError
 */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<ProgramResult> {
  const {
    deadlineMs,
    outputCapBytes = 1 << 20,
    input,
    handed = [],
    signal,
    onStdout,
    killGraceMs: graceMs = killGraceMs,
    okCodes = [0],
  } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new ProgramError(program, 'aborted', 'was not started: the work was cancelled'));
    const child = spawnProgram(program, args, { ...options, inherit: handed.map(() => 'pipe') });
    let failure: ProgramError | undefined;
    const fail = (why: ProgramError['why'], detail: string) => {
      failure ??= new ProgramError(program, why, detail);
      killGroup(child, graceMs);
    };
    const stopClock = afterHostTime(deadlineMs, () =>
      fail('deadline', `did not end within ${deadlineMs / 1000} s of a host at rest`),
    );
    const onAbort = () => fail('aborted', 'was cancelled');
    signal?.addEventListener('abort', onAbort, { once: true });

    const collect = (stream: NodeJS.ReadableStream) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > outputCapBytes) return fail('output', `printed more than ${outputCapBytes} bytes`);
        chunks.push(chunk);
      });
      return () => Buffer.concat(chunks).toString('utf8');
    };
    const {
      stdin,
      stdout: out,
      stderr: err,
    } = child as ChildProcess & {
      stdin: NodeJS.WritableStream;
      stdout: NodeJS.ReadableStream;
      stderr: NodeJS.ReadableStream;
    };
    const stdout = onStdout
      ? stream(out, onStdout, (error) => fail('aborted', `was stopped: ${errorMessage(error)}`))
      : collect(out);
    const stderr = collect(err);
    stdin.on('error', () => undefined); // The program may close its input early; its exit code tells the story.
    stdin.end(input ?? '');
    handed.forEach((content, index) => (child.stdio[3 + index] as Writable).on('error', () => undefined).end(content));

    child.on(
      'error',
      (error) => (failure ??= new ProgramError(program, 'missing', `could not be started: ${error.message}`)),
    );
    child.on('close', (code, killedBy) => {
      stopClock();
      signal?.removeEventListener('abort', onAbort);
      const result = { code: code ?? -1, stdout: stdout(), stderr: stderr() };
      if (failure) return reject(failure);
      if (killedBy) return reject(new ProgramError(program, 'signal', `was ended by ${killedBy}`, result));
      if (!okCodes.includes(result.code))
        return reject(
          new ProgramError(program, 'exit', `failed (exit code ${result.code}): ${lastWords(result)}`, result),
        );
      resolve(result);
    });
  });
}

/**
 * Runs a program that only answers a question. That it was late is no answer: it is asked again, with more time each time.
 * @throws ProgramError
 */
export async function askProgram(
  program: string,
  args: readonly string[],
  options: Partial<RunOptions> = {},
): Promise<ProgramResult> {
  const { deadlineMs = 10_000 } = options;
  for (const longerMs of [deadlineMs, 3 * deadlineMs]) {
    try {
      return await runProgram(program, args, { ...options, deadlineMs: longerMs });
    } catch (error) {
      if (!isLate(error)) throw error;
    }
  }
  return await runProgram(program, args, { ...options, deadlineMs: 9 * deadlineMs });
}

/** A program that was ended because of its time, or what follows from that. */
export function isLate(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ProgramError && one.why === 'deadline') return true;
    if (one instanceof AppError && one.reason === 'host_too_slow') return true;
  }
  return false;
}

function stream(
  out: NodeJS.ReadableStream,
  onStdout: (chunk: Buffer) => void | Promise<void>,
  onError: (error: unknown) => void,
): () => string {
  out.on('data', (chunk: Buffer) => {
    try {
      const pending = onStdout(chunk);
      if (!pending) return;
      out.pause();
      pending.then(() => out.resume(), onError);
    } catch (error) {
      onError(error);
    }
  });
  return () => '';
}

function lastWords({ stdout, stderr }: ProgramResult): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n');
  return lines.slice(-3).join(' | ').slice(-500) || 'it printed nothing';
}
