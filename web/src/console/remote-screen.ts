import type RFB from '@novnc/novnc';
import type { ConsoleLink } from './console-link';

export interface RemoteScreenEvents {
  onConnected(): void;
  /** With the factory's word for it, or an empty one where the connection just broke. */
  onEnded(reason: string): void;
}

const control = { keysym: 0xffe3, code: 'ControlLeft' } as const;
const alt = { keysym: 0xffe9, code: 'AltLeft' } as const;

/** Why a text was not typed, or not wholly; undefined: it was. */
export type TypingFailure = string | undefined;

const notConnected = 'The console is not connected.';

/** One connection to the screen of a VM, drawn into an element. */
export class RemoteScreen {
  #rfb: RFB | undefined;
  #isClosed = false;
  #socket: WebSocket | undefined;
  #typed: ((failure: TypingFailure) => void) | undefined;

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
    this.#socket = socket;
    socket.addEventListener('message', (message) => this.#hear(message));
    socket.addEventListener('close', ({ reason }) => {
      this.#typed?.(notConnected);
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

  /** The factory types it, by the layout of the guest. */
  type(text: string): Promise<TypingFailure> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return Promise.resolve(notConnected);
    return new Promise((resolve) => {
      this.#typed = resolve;
      socket.send(JSON.stringify({ text }));
    });
  }

  /** Lets go of the keys of the shortcut that took the focus away: their release is not seen any more. */
  releaseShortcut(): void {
    for (const { keysym, code } of [control, alt]) this.#rfb?.sendKey(keysym, code, false);
  }

  /** The screen comes in binary messages, and noVNC takes every message for the screen's. */
  #hear(message: MessageEvent): void {
    if (typeof message.data !== 'string') return;
    message.stopImmediatePropagation();
    this.#typed?.((JSON.parse(message.data) as { message?: string }).message);
    this.#typed = undefined;
  }
}
