import type { Guest, InputEvent } from '../hypervisor.port.js';

type Button = Extract<InputEvent, { kind: 'button' }>['button'];

/** What of a guest's keyboard and mouse is held down, so that nothing stays down when an action breaks off in its middle. */
export class HeldInputs {
  readonly #held = new Map<string, InputEvent>();

  constructor(private readonly guest: Guest) {}

  async move(to: Extract<InputEvent, { kind: 'move' }>): Promise<void> {
    await this.guest.sendInput([to]);
  }

  async pressKeys(keys: readonly string[]): Promise<void> {
    await this.#press(keys.map((key) => ({ kind: 'key', key, down: true })));
  }

  async pressButton(button: Button): Promise<void> {
    await this.#press([{ kind: 'button', button, down: true }]);
  }

  /** Lets go of everything, last pressed first. */
  async release(): Promise<void> {
    const events = [...this.#held.values()].reverse();
    if (!events.length) return;
    await this.guest.sendInput(events);
    this.#held.clear();
  }

  async #press(events: InputEvent[]): Promise<void> {
    // Counted as held before the call: one that fails may have arrived.
    for (const event of events)
      if (event.kind !== 'move')
        this.#held.set(event.kind === 'key' ? event.key : event.button, { ...event, down: false });
    await this.guest.sendInput(events);
  }
}
