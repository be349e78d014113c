import { Logger } from '@nestjs/common';
import { checkActions, performActions } from '#libs/hypervisor';
import { AppError, errorMessage, toAppError } from '#libs/platform';
import { ProtocolViolation } from './client-messages.js';
import type { ConsoleVm } from './console-access.js';

/** What a page hears of a text that it had typed: by which layout (null: as a whole, by the guest's helper), or why not. */
export type TypingAnswer = { layout: string | null } | { reason: string; message: string };

/** Of a text message: JSON may write a character as six bytes. */
const mostBytes = 32 * 1024;
const closed = new AppError({ kind: 'unavailable', reason: 'console_closed', message: 'The console was closed.' });

/** Types what a console's page asks for, as `interact_vm` does and in turn with it, because a browser cannot know the layout of the guest. One text at a time. */
export class ConsoleTyping {
  readonly #logger = new Logger(ConsoleTyping.name);
  readonly #gone = new AbortController();
  #isTyping = false;

  constructor(
    private readonly vm: Pick<ConsoleVm, 'guest' | 'machine'>,
    private readonly viewOnly: boolean,
  ) {}

  /** @param message JSON: `{"text": …}`. @throws ProtocolViolation, at once */
  type(message: Buffer): Promise<TypingAnswer> {
    return this.#type(textOf(message));
  }

  /** Whoever asked has gone: nothing more is typed. */
  stop(): void {
    this.#gone.abort(closed);
  }

  async #type(text: unknown): Promise<TypingAnswer> {
    if (this.viewOnly) return { reason: 'view_only', message: 'This console can only be looked at.' };
    if (this.#isTyping) return { reason: 'vm_busy', message: 'The text before is still being typed.' };
    this.#isTyping = true;
    try {
      const actions = checkActions([{ type: 'type', text }], { width: 0, height: 0 });
      const { failure, layout = null } = await this.vm.machine.inTurn(this.#gone.signal, (signal) =>
        performActions(this.vm.guest, actions, { signal }),
      );
      return failure ? { reason: failure.reason, message: failure.message } : { layout };
    } catch (error) {
      const { reason, message, violations, fault } = toAppError(this.#gone.signal.aborted ? closed : error);
      if (fault === 'system' && reason !== closed.reason)
        this.#logger.warn(`A text could not be typed: ${errorMessage(error)}`);
      return { reason, message: violations?.[0] ? `The text ${violations[0].message}.` : message };
    } finally {
      this.#isTyping = false;
    }
  }
}

function textOf(message: Buffer): unknown {
  if (message.length > mostBytes) throw new ProtocolViolation('The client sent a text message that is too long.');
  try {
    return (JSON.parse(message.toString()) as { text?: unknown } | null)?.text;
  } catch {
    throw new ProtocolViolation('The client sent a text message that is no JSON.');
  }
}
