import type { Socket } from 'node:net';
import { afterHostTime, AppError, clip } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { LineSocket, parseObject, type UnaskedBudget } from './line-socket.js';

interface Pending {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  stopClock: () => void;
}

export interface QmpEvent {
  name: string;
  data: Record<string, unknown>;
}

export interface QmpOptions {
  onEvent?: (event: QmpEvent) => void;
  /** It was cut off, and nobody can lead this QEMU any more. */
  onFlood?: (error: AppError) => void;
  deadlineMs?: number;
}

/** Events that a guest can bring about in a loop, such as resets, an open tray, errors of a full disk: far more than an honest one ever does. */
const eventBudget: UnaskedBudget = { lines: 20_000, linesPerSecond: 1_000, bytes: 8 << 20, bytesPerSecond: 512 << 10 };

/** QEMU Machine Protocol (docs/interop/qmp-spec of QEMU): one JSON object a line, a greeting first. */
export class QmpClient {
  readonly #line: LineSocket;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closedBy: Error | undefined;
  #greeted!: () => void;
  #refused!: (error: Error) => void;
  readonly #greeting = new Promise<void>((resolve, reject) => {
    this.#greeted = resolve;
    this.#refused = reject;
  });

  private constructor(
    socket: Socket,
    private readonly options: QmpOptions,
  ) {
    this.#greeting.catch(() => undefined);
    this.#line = new LineSocket(socket, {
      peer: 'QMP server',
      budget: eventBudget,
      onLine: (line) => this.#receive(parseObject(line)),
      onClosed: (error) => this.#end(error),
    });
  }

  /** @throws AppError `guest_peer_failed` */
  static async connect(socket: Socket, options: QmpOptions = {}): Promise<QmpClient> {
    const { deadlineMs = 20_000 } = options;
    const client = new QmpClient(socket, options);
    const stopClock = afterHostTime(deadlineMs, () =>
      client.#line.close(guestError('guest_peer_failed', `The QMP server did not greet within ${deadlineMs} ms.`)),
    );
    try {
      await client.#greeting;
    } finally {
      stopClock();
    }
    await client.call('qmp_capabilities', {}, deadlineMs);
    return client;
  }

  /** `deadlineMs` is of host time. @throws AppError `guest_peer_failed` when refused, late, or disconnected */
  call(command: string, args: Record<string, unknown> = {}, deadlineMs = 20_000): Promise<unknown> {
    if (this.#closedBy) return Promise.reject(this.#closedBy);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = () =>
        this.#settle(id)?.reject(
          guestError('guest_peer_failed', `QMP ${command} was not answered within ${deadlineMs} ms.`),
        );
      this.#pending.set(id, { command, resolve, reject, stopClock: afterHostTime(deadlineMs, late) });
      this.#line.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  close(): void {
    this.#line.close(guestError('guest_peer_failed', 'The connection to QMP was closed.'));
  }

  #receive(message: Record<string, unknown>): boolean {
    if ('QMP' in message) this.#greeted();
    else if (typeof message.event === 'string')
      this.options.onEvent?.({ name: message.event, data: (message.data ?? {}) as Record<string, unknown> });
    const pending = typeof message.id === 'number' ? this.#settle(message.id) : undefined;
    if (!pending) return false;
    if ('error' in message)
      pending.reject(
        guestError('guest_peer_failed', `QMP ${pending.command} was refused: ${clip(describe(message.error), 200)}`),
      );
    else pending.resolve(message.return);
    return true;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.stopClock();
    return pending;
  }

  #end(error: Error): void {
    this.#closedBy = error;
    this.#refused(error);
    if (error instanceof AppError && error.reason === 'guest_flooded') this.options.onFlood?.(error);
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
  }
}

function describe(error: unknown): string {
  const { desc } = (error ?? {}) as { desc?: unknown };
  return typeof desc === 'string' ? desc : JSON.stringify(error);
}
