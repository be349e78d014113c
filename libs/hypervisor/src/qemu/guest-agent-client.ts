import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterHostTime, clip, hostTimeout, hostTooSlow } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { ExecuteOptions, ExecuteResult } from '../hypervisor.port.js';
import { LineSocket, parseObject, type UnaskedBudget } from './line-socket.js';

const mark = 0xff;
/** Answers that come too late are dropped; there are never many. */
const lateBudget: UnaskedBudget = { lines: 1_000, linesPerSecond: 20, bytes: 8 << 20, bytesPerSecond: 64 << 10 };
/** Of what a program printed, as base64; what is parsed at once takes some milliseconds. */
const lineBytes = 4 << 20;
const firstPollMs = 20;
const slowestPollMs = 500;
const wholeDayMs = 24 * 3_600_000;

/**
 * The agent inside the guest (docs/interop/qemu-ga-ref of QEMU), over a virtio-serial port. Its answers carry no ids, so one call is made at a
 * time, and after one that was not answered the two are brought in step again: guest-sync-delimited sends back our number behind a byte 0xFF
 * that JSON never holds. Old answers may still arrive before it.
 */
export class GuestAgentClient {
  readonly #line: LineSocket;
  /** Tells whether that is what was waited for. */
  #waiting: ((message: Record<string, unknown>, isMarked: boolean) => boolean) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #closedBy: Error | undefined;
  #inStep = false;
  #lastSync = Math.floor(Math.random() * 1e9);
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    socket: Socket,
    private readonly callDeadlineMs = 60_000,
    private readonly onClosed: (error: Error) => void = () => undefined,
  ) {
    this.#line = new LineSocket(socket, {
      peer: 'guest agent',
      budget: lateBudget,
      maxLineBytes: lineBytes,
      onLine: (line) => this.#receive(line),
      onClosed: (error) => this.#end(error),
    });
  }

  /** Asks again and again until the agent answers: before it runs, nobody reads the port. @throws the signal's reason; AppError */
  async waitUntilReady(signal: AbortSignal, everyMs = 5_000): Promise<void> {
    // However late it is: an answer to any of the questions is as good, so that a slow guest is asked no less often than one that has no agent yet.
    const first = this.#lastSync + 1;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.#inTurn(() =>
          this.#synchronise(wholeDayMs, { first, signal: AbortSignal.any([signal, AbortSignal.timeout(everyMs)]) }),
        );
      } catch (error) {
        signal.throwIfAborted();
        if (this.#closedBy) throw error;
      }
    }
  }

  /** @throws AppError `guest_agent_failed` */
  async version(): Promise<string> {
    const answer = await this.#call('guest-info', {}, this.callDeadlineMs);
    return isRecord(answer) && typeof answer.version === 'string' ? clip(answer.version, 40) : 'unknown';
  }

  /** @throws AppError `guest_agent_failed` */
  async execute(path: string, args: readonly string[], { deadlineMs, input }: ExecuteOptions): Promise<ExecuteResult> {
    const callMs = Math.min(this.callDeadlineMs, deadlineMs);
    const command = {
      path,
      arg: args,
      'capture-output': true,
      ...(input !== undefined && { 'input-data': Buffer.from(input).toString('base64') }),
    };
    const patience = hostTimeout(deadlineMs);
    try {
      const started = await this.#call('guest-exec', command, callMs);
      if (!isRecord(started) || !Number.isSafeInteger(started.pid))
        throw failed('answered guest-exec without a process id');
      for (let pauseMs = firstPollMs; ; pauseMs = Math.min(pauseMs * 2, slowestPollMs)) {
        const status = await this.#call('guest-exec-status', { pid: started.pid }, callMs);
        if (!isRecord(status) || typeof status.exited !== 'boolean')
          throw failed('answered guest-exec-status without saying whether the program ended');
        if (status.exited) return resultOf(status);
        if (patience.signal.aborted) throw late(`did not see the end of ${clip(path)} within ${deadlineMs / 1000} s`);
        await sleep(Math.min(pauseMs, deadlineMs));
      }
    } finally {
      patience.stop();
    }
  }

  close(why: Error = guestError('guest_peer_failed', 'The connection to the guest agent was closed.')): void {
    this.#line.close(why);
  }

  #call(command: string, args: Record<string, unknown>, deadlineMs: number): Promise<unknown> {
    return this.#inTurn(async () => {
      if (!this.#inStep) await this.#synchronise(deadlineMs);
      return await this.#ask(command, args, deadlineMs);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** @param first the lowest of our numbers that may come back */
  async #synchronise(
    deadlineMs: number,
    { first, signal }: { first?: number; signal?: AbortSignal } = {},
  ): Promise<void> {
    const id = ++this.#lastSync;
    const isOurs = (value: unknown) => typeof value === 'number' && value >= (first ?? id) && value <= id;
    this.#inStep = false;
    const request = Buffer.concat([
      Buffer.of(mark),
      Buffer.from(`${JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id } })}\n`),
    ]);
    const answer = await this.#exchange(
      request,
      deadlineMs,
      'guest-sync-delimited',
      (message, isMarked) => isMarked && isOurs(message.return),
      signal,
    );
    // Behind an answer to an earlier one come those to the later ones, and before each what the agent says of the mark, which is no JSON.
    this.#inStep = answer.return === id;
  }

  async #ask(command: string, args: Record<string, unknown>, deadlineMs: number): Promise<unknown> {
    const message = await this.#exchange(
      `${JSON.stringify({ execute: command, arguments: args })}\n`,
      deadlineMs,
      command,
      (_answer, isMarked) => !isMarked,
    );
    if (!('error' in message)) return message.return;
    throw failed(
      `refused ${command}: ${clip(isRecord(message.error) ? String(message.error.desc) : 'no reason', 200)}`,
    );
  }

  /** @returns the first answer that is `wanted`; others are dropped */
  #exchange(
    request: Buffer | string,
    deadlineMs: number,
    command: string,
    wanted: (message: Record<string, unknown>, isMarked: boolean) => boolean,
    signal?: AbortSignal,
  ): Promise<Record<string, unknown>> {
    if (this.#closedBy) return Promise.reject(this.#closedBy);
    return new Promise((resolve, reject) => {
      const stop = () => {
        stopClock();
        signal?.removeEventListener('abort', onAbort);
        this.#waiting = this.#fail = undefined;
      };
      this.#fail = (error) => {
        this.#inStep = false;
        stop();
        reject(error);
      };
      const onAbort = () => this.#fail?.(failed(`was not waited for: ${command} was cancelled`));
      const stopClock = afterHostTime(deadlineMs, () =>
        this.#fail?.(late(`did not answer ${command} within ${Math.round(deadlineMs)} ms`)),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting = (message, isMarked) => {
        if (!wanted(message, isMarked)) return false;
        stop();
        resolve(message);
        return true;
      };
      if (signal?.aborted) return onAbort();
      this.#line.write(request);
    });
  }

  #receive(line: Buffer): boolean {
    const markAt = line.lastIndexOf(mark);
    const text = line.subarray(markAt + 1);
    // Out of step, half an old line may come before the mark: what cannot be read is dropped until the mark is seen.
    if (!this.#waiting || text.length === 0 || (markAt === -1 && !this.#inStep)) return false;
    return this.#waiting(parseObject(text), markAt !== -1);
  }

  #end(error: Error): void {
    this.#closedBy = error;
    this.#fail?.(error);
    this.onClosed(error);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const failed = (what: string, cause?: Error) =>
  guestError('guest_agent_failed', `The guest's agent ${what}.`, { cause });
const late = (what: string) => failed(what, hostTooSlow(what));

function resultOf(status: Record<string, unknown>): ExecuteResult {
  const text = (value: unknown) => (typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : '');
  const number = (value: unknown) => (Number.isSafeInteger(value) ? (value as number) : undefined);
  const signal = number(status.signal);
  const code = number(status.exitcode) ?? (signal === undefined ? undefined : 128 + signal);
  if (code === undefined) throw failed('answered guest-exec-status without an exit code');
  return { code, stdout: text(status['out-data']), stderr: text(status['err-data']) };
}
