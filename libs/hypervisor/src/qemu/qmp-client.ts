import type { Socket } from 'node:net';
import { afterHostTime, clip } from '#libs/platform';
import { guestError } from '../guest-error.js';
import { LineSocket, parseObject } from './line-socket.js';

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
    private readonly onEvent: (event: QmpEvent) => void,
  ) {
    this.#greeting.catch(() => undefined);
    this.#line = new LineSocket(socket, { peer: 'QMP server', onLine: (line) => this.#receive(parseObject(line)), onClosed: (error) => this.#end(error) });
  }

  /** @throws AppError `guest_peer_failed` */
  static async connect(socket: Socket, { onEvent = () => undefined, deadlineMs = 20_000 }: { onEvent?: (event: QmpEvent) => void; deadlineMs?: number } = {}): Promise<QmpClient> {
    const client = new QmpClient(socket, onEvent);
    const stopClock = afterHostTime(deadlineMs, () => client.#line.close(guestError('guest_peer_failed', `The QMP server did not greet within ${deadlineMs} ms.`)));
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
      const late = () => this.#settle(id)?.reject(guestError('guest_peer_failed', `QMP ${command} was not answered within ${deadlineMs} ms.`));
      this.#pending.set(id, { command, resolve, reject, stopClock: afterHostTime(deadlineMs, late) });
      this.#line.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  close(): void {
    this.#line.close(guestError('guest_peer_failed', 'The connection to QMP was closed.'));
  }

  #receive(message: Record<string, unknown>): void {
    if ('QMP' in message) return this.#greeted();
    if (typeof message.event === 'string') return this.onEvent({ name: message.event, data: (message.data ?? {}) as Record<string, unknown> });
    if (typeof message.id !== 'number') return;
    const pending = this.#settle(message.id);
    if ('error' in message) pending?.reject(guestError('guest_peer_failed', `QMP ${pending.command} was refused: ${clip(describe(message.error), 200)}`));
    else pending?.resolve(message.return);
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
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
  }
}

function describe(error: unknown): string {
  const { desc } = (error ?? {}) as { desc?: unknown };
  return typeof desc === 'string' ? desc : JSON.stringify(error);
}
