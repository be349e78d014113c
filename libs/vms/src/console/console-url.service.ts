import { Injectable } from '@nestjs/common';
import { AppError, CallerService, FactorySecret, pageUrl, Revocations, Settings, type Caller } from '#libs/platform';
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
    private readonly callers: CallerService,
    private readonly revocations: Revocations,
    secret: FactorySecret,
  ) {
    this.key = secret.derive('vm-console');
  }

  /**
   * A page that needs no credentials. Who may only look gets a view.
   * @throws AppError `vm_not_found`, `vm_not_running`, `vm_host_elsewhere`
   */
  async url(caller: Caller, { vm_name, view_only }: ConsoleUrlInput): Promise<ConsoleUrl> {
    const { vm } = await this.access.reach(caller, vm_name);
    const viewOnly = view_only || caller.readOnly;
    // Whole seconds, because the token holds no fractions.
    const expiresAt = new Date(Math.floor(Date.now() / 1000 + this.settings.consoleUrlMinutes * 60) * 1000);
    const token = signConsole(this.key, {
      vmId: vm.id,
      viewOnly,
      expiresAt,
      principalId: caller.kind === 'anonymous' ? undefined : caller.principalId,
    });
    return {
      vm_name: vm.name,
      url: pageUrl(this.settings, `console/${vm.name}`, { token, ...(viewOnly && { view: 'only' }) }),
      view_only: viewOnly,
      expires_at: expiresAt.toISOString(),
    };
  }

  /**
   * What a token stands for, and what its maker stands on now.
   * @throws AppError `console_link_invalid`, `console_link_expired`, `console_link_revoked`
   */
  async grantOf(
    token: string,
  ): Promise<ConsoleGrant & Pick<Caller, 'revocationSubjects' | 'checkedAt'> & { makerExpiresAt: number | undefined }> {
    const grant = readConsole(this.key, token, new Date());
    const checkedAt = this.revocations.count;
    if (grant.principalId === undefined)
      return { ...grant, revocationSubjects: [], checkedAt, makerExpiresAt: undefined };
    const maker = await this.callers.currentGrant(grant.principalId);
    if (!maker)
      throw new AppError({
        kind: 'forbidden',
        reason: 'console_link_revoked',
        message: 'Whoever made this console link may not open it any more.',
        hint: 'Sign in again, or use another key, and ask for a new one.',
      });
    return {
      ...grant,
      viewOnly: grant.viewOnly || maker.readOnly,
      revocationSubjects: maker.revocationSubjects,
      checkedAt,
      makerExpiresAt: maker.expiresAt,
    };
  }
}
