import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Guest } from '#libs/hypervisor';
import { EventBus, Settings, statusOf, toAppError } from '#libs/platform';
import { vmAccessEnded } from '../vm-host.repository.js';
import { ConsoleAccess } from './console-access.js';
import type { Bridge, Closing } from './console-bridge.js';
import { ConsolePace } from './console-pace.js';

const hourMs = 3_600_000;

interface OpenConsole {
  vmId: string;
  guest: Guest;
  close: (closing: Closing) => void;
}

/** The consoles that are open: each as long as its VM is there and runs in the guest that it shows, and no longer than the longest time. */
@Injectable()
export class OpenConsoles implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #open = new Set<OpenConsole>();
  #unsubscribe: (() => void) | undefined;

  constructor(
    private readonly access: ConsoleAccess,
    private readonly events: EventBus,
    private readonly settings: Settings,
    private readonly pace: ConsolePace,
  ) {}

  onApplicationBootstrap(): void {
    this.#unsubscribe = this.events.subscribe(vmAccessEnded, { onEvent: (vmId) => this.recheck((open) => open.vmId === vmId), onGap: () => this.recheck() });
  }

  onApplicationShutdown(): void {
    this.#unsubscribe?.();
  }

  /** Looks after a console until it is closed: by its time, by the loss of its VM, or by either side. */
  async watch(vmId: string, guest: Guest, { close, closed }: Bridge): Promise<void> {
    const open: OpenConsole = { vmId, guest, close };
    this.#open.add(open);
    const end = setTimeout(() => close({ code: 4408, reason: 'console_time_over' }), this.settings.consoleMaxHours * hourMs);
    // Beside the events: what looks at a VM counts as use of it.
    const recheck = setInterval(() => void this.look(open), this.pace.recheckMs);
    // What ended while the screen was being opened was told before anybody listened.
    void this.look(open);
    await closed;
    clearTimeout(end);
    clearInterval(recheck);
    this.#open.delete(open);
  }

  closeAll(closing: Closing): void {
    for (const { close } of [...this.#open]) close(closing);
  }

  private recheck(isMeant: (open: OpenConsole) => boolean = () => true): void {
    for (const open of this.#open) if (isMeant(open)) void this.look(open);
  }

  private async look({ vmId, guest, close }: OpenConsole): Promise<void> {
    try {
      const now = await this.access.reachById(vmId);
      if (now.guest !== guest) close({ code: 4410, reason: 'guest_ended' });
    } catch (error) {
      // A database that is away for a moment takes nobody's console away.
      const { fault, kind, reason } = toAppError(error);
      if (fault === 'caller') close({ code: 4000 + statusOf[kind], reason });
    }
  }
}
