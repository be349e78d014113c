import { Injectable } from '@nestjs/common';
import { FactorySecret, Settings, type Caller } from '#libs/platform';
import { ConsoleAccess } from './console-access.js';
import type { ConsoleUrl, ConsoleUrlInput } from './console.dto.js';
import { readConsole, signConsole, type ConsoleGrant } from './console-token.js';

/** Who may open the console of which VM. */
@Injectable()
export class ConsoleUrlService {
  private readonly key: Buffer;

  constructor(
    private readonly access: ConsoleAccess,
    private readonly settings: Settings,
    secret: FactorySecret,
  ) {
    this.key = secret.derive('vm-console');
  }

  /**
   * A page that needs no credentials. The token is in the fragment, which browsers send to nobody, so that it is in no log.
   * @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere`
   */
  async url(caller: Caller, { vm_name, view_only }: ConsoleUrlInput): Promise<ConsoleUrl> {
    const { vm } = await this.access.reach(caller, vm_name);
    // Whole seconds, because the token holds no fractions.
    const expiresAt = new Date(Math.floor(Date.now() / 1000 + this.settings.consoleUrlMinutes * 60) * 1000);
    const token = signConsole(this.key, { vmId: vm.id, viewOnly: view_only, expiresAt });
    const fragment = new URLSearchParams({ token, ...(view_only && { view: 'only' }) }).toString();
    return { vm_name: vm.name, url: `${this.settings.publicUrl}/console/${vm.name}#${fragment}`, view_only, expires_at: expiresAt.toISOString() };
  }

  /** @throws AppError `console_link_invalid`, `console_link_expired` */
  grantOf(token: string): ConsoleGrant {
    return readConsole(this.key, token, new Date());
  }
}
