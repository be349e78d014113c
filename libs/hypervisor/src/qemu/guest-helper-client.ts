import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterHostTime, AppError, clip, hostTooSlow } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { GuestKeyboard, HelperGreeting, RestoreDuties, RestoreReport } from '../hypervisor.port.js';
import { LineSocket, type UnaskedBudget } from './line-socket.js';

/** Of the protocol (guest/openfactory-helper), both ways. */
const lineBytes = 64 << 10;
/** A helper that speaks another one is not understood. */
export const helperProtocol = '2';
const replyForm = /^(\d{1,15}) (ok|error)((?: (?:=|[A-Za-z0-9+/]+={0,2}))*)\r?$/;
const typeBytes = 4_096;
/** Answers that come too late are dropped; there are never many. */
const lateBudget: UnaskedBudget = { lines: 1_000, linesPerSecond: 20, bytes: 1 << 20, bytesPerSecond: 64 << 10 };
/** How far behind a clone's clock may be, and how often that is tried for. */
const clockMs = 500;
const clockTries = 20;

/**
 * Our own helper inside the guest, over a virtio-serial port: lines with an id, so that an answer that comes too late is known and dropped, as is
 * everything that has not the form of an answer.
 */
export class GuestHelperClient {
  readonly #line: LineSocket;
  readonly #waiting = new Map<number, { resolve: (values: Buffer[]) => void; reject: (error: Error) => void }>();
  #closedBy: Error | undefined;
  // Ends a half line that somebody else may have left. Before the first request, not by itself: each time that a clone's helper wakes costs its start.
  #before = '\n';
  // Not from one: whoever had the port before may have left answers to low numbers in it.
  #lastId = randomInt(2 ** 40);

  constructor(
    socket: Socket,
    private readonly callDeadlineMs = 60_000,
    private readonly onClosed: (error: Error) => void = () => undefined,
  ) {
    this.#line = new LineSocket(socket, {
      peer: 'guest helper',
      budget: lateBudget,
      maxLineBytes: lineBytes,
      onLine: (line) => this.#receive(line),
      onClosed: (error) => this.#end(error),
    });
  }

  /** Asks again and again until the helper answers one of the questions: before it runs, nobody reads the port. @throws the signal's reason; AppError */
  async waitUntilReady(signal: AbortSignal, everyMs = 5_000): Promise<HelperGreeting> {
    signal.throwIfAborted();
    const done = new AbortController();
    const stop = AbortSignal.any([signal, done.signal]);
    try {
      return await new Promise<HelperGreeting>((resolve, reject) => {
        // A guest on a busy host may need longer than the pause: an answer to an earlier question is as good.
        const ask = () =>
          this.#call('hello', [], Infinity, stop)
            .then((values) => resolve(greetingOf(values)))
            .catch(() => this.#closedBy && reject(this.#closedBy));
        const asking = setInterval(() => void ask(), everyMs);
        stop.addEventListener('abort', () => (clearInterval(asking), reject(signal.reason as Error)), { once: true });
        void ask();
      });
    } finally {
      done.abort();
    }
  }

  /** @throws AppError `guest_helper_failed` */
  async restore(
    { entropy, hostname, mac, linkUp, sshHostKeys = [] }: RestoreDuties,
    deadlineMs: number,
  ): Promise<RestoreReport> {
    const keys = sshHostKeys.flatMap(({ type, privateKey, publicKey }) => [type, privateKey, publicKey]);
    const report = reportOf(
      await this.#call('restore', [entropy, hostname, mac ?? '', linkUp ? '1' : '', ...keys], deadlineMs),
    );
    await this.#setClock(deadlineMs);
    return report;
  }

  /** The clock is then behind by no more than question and answer took; where a busy host made that long, it is set again. */
  async #setClock(deadlineMs: number): Promise<void> {
    for (let tries = 0, tookMs = Infinity; tookMs > clockMs && tries < clockTries; tries++) {
      const asked = performance.now();
      await this.#call('clock', [(Date.now() / 1000).toFixed(3)], deadlineMs);
      tookMs = performance.now() - asked;
    }
  }

  /** @throws AppError `guest_helper_failed` */
  async type(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    if (bytes.length > typeBytes) throw failed(`types at most ${typeBytes} bytes at once`);
    if (bytes.length > 0) await this.#call('type', [bytes], this.callDeadlineMs);
  }

  /** @throws AppError `guest_helper_failed` */
  async keyboard(): Promise<GuestKeyboard> {
    try {
      return keyboardOf(await this.#call('keyboard', [], this.callDeadlineMs));
    } catch (error) {
      // Images outlive factories.
      if (error instanceof AppError && error.message.includes('no such verb')) return { screen: 'unknown' };
      throw error;
    }
  }

  /** Writes what the guest keeps in memory for its disks. @throws AppError `guest_helper_failed` */
  async sync(): Promise<void> {
    await this.#call('sync', [], this.callDeadlineMs);
  }

  close(why: Error = guestError('guest_peer_failed', 'The connection to the guest helper was closed.')): void {
    this.#line.close(why);
  }

  #call(verb: string, values: (Buffer | string)[], deadlineMs: number, signal?: AbortSignal): Promise<Buffer[]> {
    if (this.#closedBy) return Promise.reject(this.#closedBy);
    const id = ++this.#lastId;
    const request = [String(id), verb, ...values.map((value) => Buffer.from(value).toString('base64') || '=')].join(
      ' ',
    );
    if (request.length >= lineBytes) return Promise.reject(failed(`takes no ${verb} of ${request.length} bytes`));
    return new Promise<Buffer[]>((resolve, reject) => {
      const stop = () => {
        stopClock?.();
        signal?.removeEventListener('abort', onAbort);
        this.#waiting.delete(id);
      };
      const fail = (error: Error) => (stop(), reject(error));
      const onAbort = () => fail(failed(`was not waited for: ${verb} was cancelled`));
      const stopClock = Number.isFinite(deadlineMs)
        ? afterHostTime(deadlineMs, () => fail(late(`did not answer ${verb} within ${Math.round(deadlineMs)} ms`)))
        : undefined;
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, { resolve: (values) => (stop(), resolve(values)), reject: fail });
      this.#line.write(`${this.#before}${request}\n`);
      this.#before = '';
    });
  }

  #receive(line: Buffer): boolean {
    const [, id, outcome, rest = ''] = replyForm.exec(line.toString('latin1')) ?? [];
    const call = this.#waiting.get(Number(id));
    if (!call) return false;
    const values = rest
      .split(' ')
      .slice(1)
      .map((value) => Buffer.from(value, 'base64'));
    if (outcome === 'ok') call.resolve(values);
    else call.reject(failed(`refused: ${clip(values[0]?.toString() ?? '', 200) || 'no reason'}`));
    return true;
  }

  #end(error: Error): void {
    this.#closedBy = error;
    for (const { reject } of [...this.#waiting.values()]) reject(error);
    this.onClosed(error);
  }
}

const failed = (what: string, cause?: Error) =>
  guestError('guest_helper_failed', `The guest's helper ${what}.`, { cause });
const late = (what: string) => failed(what, hostTooSlow(what));

function greetingOf([version, bootId, systemState]: Buffer[]): HelperGreeting {
  const word = (value: Buffer | undefined, form: RegExp, name: string) => {
    const text = value?.toString('latin1') ?? '';
    if (!form.test(text)) throw failed(`answered hello without its ${name}`);
    return text;
  };
  return {
    version: word(version, new RegExp(`^${helperProtocol}$`), `version, ${helperProtocol}`),
    bootId: word(bootId, /^[0-9a-f-]{36}$/, 'boot id'),
    systemState: word(systemState, /^[a-z]{1,20}$/, 'system state'),
  };
}

function reportOf([machineId, random, times]: Buffer[]): RestoreReport {
  const id = machineId?.toString('latin1') ?? '';
  if (!/^[0-9a-f]{32}$/.test(id)) throw failed('answered restore without a machine id');
  if (random?.length !== 32) throw failed('answered restore without 32 random bytes');
  const words = (times?.toString('latin1') ?? '')
    .split(' ')
    .map((word) => /^([a-z_]{1,20})=(\d{1,7}(?:\.\d{1,3})?)$/.exec(word));
  if (words.length > 20 || words.includes(null)) throw failed('answered restore without the times of its duties');
  return {
    machineId: id,
    random,
    milliseconds: Object.fromEntries(words.flatMap((word) => (word ? [[word[1] as string, Number(word[2])]] : []))),
  };
}

/** A word for the screen, then two numbers and tables of it. What they hold is looked at by whoever makes a layout of it. */
function keyboardOf([screen, numbers, ...tables]: Buffer[]): GuestKeyboard {
  const [first = 0, second = 0] = [...(numbers ?? [])];
  const [one = Buffer.alloc(0), other = Buffer.alloc(0)] = tables;
  if (String(screen) === 'console')
    return { screen: 'console', keymap: one, accents: other, isCapsLocked: first === 1 };
  return String(screen) === 'x11'
    ? { screen: 'x11', firstKeycode: first, keysymsPerKeycode: second, keysyms: one }
    : { screen: 'unknown' };
}
