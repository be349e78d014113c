import { Socket } from 'node:net';
import { AppError } from '#libs/platform';
import { guestError } from '../guest-error.js';
import type { ClosedPort } from '../hypervisor.port.js';
import { GuestAgentClient } from './guest-agent-client.js';
import { GuestHelperClient } from './guest-helper-client.js';
import type { RuntimeDirectory } from './runtime-directory.js';
import { socketNames } from './qemu-command.js';

export interface PortsMemory {
  /** By this factory or an earlier one: they are not opened. */
  closed: readonly ClosedPort[];
  /** Told all of them when there is one more, so that the next factory does not open them either. */
  remember: (closed: readonly ClosedPort[]) => Promise<void>;
}

/** The ways to whoever is in a guest. One that the guest floods is closed for the life of the guest, whichever factory holds it. */
export class GuestPorts {
  readonly agent: GuestAgentClient;
  readonly helper: GuestHelperClient;
  readonly #listeners: ((closed: ClosedPort) => void)[] = [];
  readonly #closed: ClosedPort[];

  private constructor(
    sockets: Record<ClosedPort['port'], Socket>,
    private readonly memory: PortsMemory,
  ) {
    this.#closed = [...memory.closed];
    this.agent = new GuestAgentClient(sockets.agent, undefined, (error) => this.#note('agent', error));
    this.helper = new GuestHelperClient(sockets.helper, undefined, (error) => this.#note('helper', error));
    for (const { port, why } of memory.closed) this[port].close(guestError('guest_flooded', why));
  }

  static async open(runtime: RuntimeDirectory, memory: PortsMemory): Promise<GuestPorts> {
    const open = async (name: ClosedPort['port']) =>
      memory.closed.some(({ port }) => port === name) ? new Socket() : await runtime.connect(socketNames[name]);
    return new GuestPorts({ agent: await open('agent'), helper: await open('helper') }, memory);
  }

  onClosed(listener: (closed: ClosedPort) => void): void {
    this.#listeners.push(listener);
    for (const closed of this.#closed) listener(closed);
  }

  close(): void {
    this.agent.close();
    this.helper.close();
  }

  #note(port: ClosedPort['port'], error: Error): void {
    const isFlood = error instanceof AppError && error.reason === 'guest_flooded';
    if (!isFlood || this.#closed.some((one) => one.port === port)) return;
    const closed = { port, why: error.message };
    this.#closed.push(closed);
    // A full disk costs the memory of it, not the guest.
    this.memory.remember(this.#closed).catch(() => undefined);
    for (const listener of this.#listeners) listener(closed);
  }
}
