import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Guest } from '#libs/hypervisor';
import { EventBus, Revocations, Settings, statusOf, toAppError } from '#libs/platform';
import { vmAccessEnded } from '../vm-host.repository.js';
import { ConsoleAccess } from './console-access.js';
import type { Bridge, Closing } from './console-bridge.js';
import { ConsoleTimeouts } from './console-timeouts.js';

const hourMs = 3_600_000;
const revoked: Closing = { code: 4403, reason: 'console_link_revoked' };

interface OpenConsole {
  vmId: string;
  guest: Guest;
  /** Of whoever opened it (Grant). */
  revocationSubjects: readonly string[];
  checkedAt: number;
  expiresAt: number | undefined;
  close: (closing: Closing) => void;
}

/** The consoles that are open: each as long as its VM is there and runs in the guest that it shows, and no longer than the longest time. */
@Injectable()
export class OpenConsoles implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #open = new Set<OpenConsole>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(
    private readonly access: ConsoleAccess,
    private readonly events: EventBus,
    private readonly revocations: Revocations,
    private readonly settings: Settings,
    private readonly timeouts: ConsoleTimeouts,
  ) {}

  onApplicationBootstrap(): void {
    this.#unsubscribe.push(
      this.events.subscribe(vmAccessEnded, {
        onEvent: (vmId) => this.recheck((open) => open.vmId === vmId),
        onGap: () => this.recheck(),
      }),
      this.revocations.onRevoked((subject) => this.closeRevoked(subject)),
    );
  }

  onApplicationShutdown(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Looks after a console until it is closed: by its time, by the loss of its VM or of the right to it, or by either side. */
  async watch(console: Omit<OpenConsole, 'close'>, { close, closed }: Bridge): Promise<void> {
    const open: OpenConsole = { ...console, close };
    this.#open.add(open);
    const { expiresAt = Infinity } = open;
    const longestMs = this.settings.consoleMaxHours * hourMs;
    const end = setTimeout(
      () => close(expiresAt <= Date.now() ? revoked : { code: 4408, reason: 'console_time_over' }),
      Math.min(longestMs, Math.max(0, expiresAt - Date.now())),
    );
    // Beside the events: what looks at a VM counts as use of it.
    const recheck = setInterval(() => void this.look(open), this.timeouts.recheckMs);
    // What ended while the screen was being opened was told before anybody listened.
    void this.look(open);
    if (this.revocations.wasRevokedSince(open)) close(revoked);
    await closed;
    clearTimeout(end);
    clearInterval(recheck);
    this.#open.delete(open);
  }

  closeAll(closing: Closing): void {
    for (const { close } of [...this.#open]) close(closing);
  }

  private closeRevoked(subject: string): void {
    for (const { revocationSubjects, close } of [...this.#open])
      if (revocationSubjects.includes(subject)) close(revoked);
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
