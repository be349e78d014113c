import { clip, untilAborted } from '#libs/platform';
import { guestHelperUnit } from './guest-helper-files.js';
import type { ExecuteResult, Guest } from './hypervisor.port.js';

const systemctl = '/usr/bin/systemctl';
/** Of host time. */
const callMs = 120_000;
/** For what ends with the boot itself, whoever waits for that has a patience of their own. */
const bootMs = 24 * 3_600_000;
const mostUnits = 100;

export interface FailedUnit {
  name: string;
  /** systemd ended it because it took too long, not because it said that it failed. */
  isTimeout: boolean;
}

/** What the service manager in a guest says, through its agent. @throws AppError `guest_agent_failed`, `guest_ended`, or the signal's reason */
export class SystemdVoice {
  constructor(
    private readonly guest: Guest,
    private readonly signal: AbortSignal,
  ) {}

  /** Waits until no job is left of the start. @returns `running`, `degraded`… */
  async waitUntilUp(): Promise<string> {
    return clip((await this.#ask(['is-system-running', '--wait'], bootMs)).stdout.trim(), 40);
  }

  /** `active`, `activating`, `inactive`, `failed`… */
  async stateOf(unit: string): Promise<string> {
    return (await this.#ask(['is-active', '--', unit])).stdout.trim();
  }

  async failedUnits(): Promise<FailedUnit[]> {
    const { stdout } = await this.#ask(['list-units', '--failed', '--no-legend', '--plain', '--no-pager']);
    const names = stdout
      .split('\n')
      .map((line) => clip(line.trim().split(/\s+/)[0] ?? ''))
      .filter(Boolean)
      .slice(0, mostUnits);
    if (!names.length) return [];
    const shown = await this.#ask(['show', '--property=Id,Result', '--', ...names]);
    const timeouts = new Set(
      shown.stdout
        .split(/\n\n+/)
        .filter((block) => /^Result=(?:timeout|watchdog)$/m.test(block))
        .map((block) => /^Id=(.*)$/m.exec(block)?.[1]),
    );
    return names.map((name) => ({ name, isTimeout: timeouts.has(name) }));
  }

  /** By the manager's own list of what it could start, and what became of it. */
  async isWithoutHelper(): Promise<boolean> {
    const { stdout } = await this.#ask(['show', '--property=LoadState,ActiveState', '--', guestHelperUnit]);
    return /^LoadState=(?:not-found|masked|bad-setting|error)$/m.test(stdout) || /^ActiveState=failed$/m.test(stdout);
  }

  async #ask(args: readonly string[], deadlineMs = callMs): Promise<ExecuteResult> {
    this.signal.throwIfAborted();
    return await untilAborted(this.guest.execute(systemctl, args, { deadlineMs }), this.signal);
  }
}
