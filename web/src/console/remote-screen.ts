import type RFB from '@novnc/novnc';
import type { ConsoleLink } from './console-link';
import { keyOf } from './text-keys';

export interface RemoteScreenEvents {
  onConnected(): void;
  /** With the factory's word for it, or an empty one where the connection just broke. */
  onEnded(reason: string): void;
}

const shift = { keysym: 0xffe1, code: 'ShiftLeft' } as const;
const control = { keysym: 0xffe3, code: 'ControlLeft' } as const;
const alt = { keysym: 0xffe9, code: 'AltLeft' } as const;
/** An emulated guest loses keys that come faster than about 50 a second. */
const keyPauseMs = 30;

/** One connection to the screen of a VM, drawn into an element. */
export class RemoteScreen {
  #rfb: RFB | undefined;
  #isClosed = false;

  constructor(
    private readonly link: ConsoleLink,
    private readonly target: HTMLElement,
    private readonly events: RemoteScreenEvents,
  ) {}

  async open(): Promise<void> {
    if (this.link.token === undefined) return this.events.onEnded('no_token');
    const { default: Client } = await import('@novnc/novnc');
    if (this.#isClosed) return;
    // A header of the handshake, not the URL: URLs end up in logs.
    const socket = new WebSocket(this.link.socketUrl, ['openfactory-console.v1', `token.${this.link.token}`]);
    socket.addEventListener('close', ({ reason }) => {
      if (!this.#isClosed) this.events.onEnded(reason);
    });
    const rfb = new Client(this.target, socket, { shared: true });
    rfb.viewOnly = this.link.viewOnly;
    rfb.scaleViewport = true;
    rfb.background = 'transparent';
    rfb.addEventListener('connect', () => {
      this.events.onConnected();
      rfb.focus();
    });
    rfb.addEventListener('disconnect', () => {
      this.#rfb = undefined;
    });
    this.#rfb = rfb;
  }

  close(): void {
    this.#isClosed = true;
    this.#rfb?.disconnect();
    this.#rfb = undefined;
  }

  focus(): void {
    this.#rfb?.focus();
  }

  sendCtrlAltDel(): void {
    this.#rfb?.sendCtrlAltDel();
  }

  /** Types what the US layout has; the rest is left out. */
  async type(text: string): Promise<void> {
    for (const character of text.replace(/\r\n?/g, '\n')) {
      const key = keyOf(character);
      if (!key || !this.#rfb) continue;
      if (key.isShifted) this.#rfb.sendKey(shift.keysym, shift.code, true);
      this.#rfb.sendKey(key.keysym, null);
      if (key.isShifted) this.#rfb.sendKey(shift.keysym, shift.code, false);
      await new Promise((resolve) => setTimeout(resolve, keyPauseMs));
    }
  }

  /** Lets go of the keys of the shortcut that took the focus away: their release is not seen any more. */
  releaseShortcut(): void {
    for (const { keysym, code } of [control, alt]) this.#rfb?.sendKey(keysym, code, false);
  }
}
