/** Lengths of the messages that a client may send (RFC 6143, 7.5, and the registered extensions that noVNC and QEMU know). */
const lengths: Record<number, { known: number; length: (head: Buffer) => number }> = {
  0: { known: 1, length: () => 20 }, // SetPixelFormat
  2: { known: 4, length: (head) => 4 + 4 * head.readUInt16BE(2) }, // SetEncodings
  3: { known: 1, length: () => 10 }, // FramebufferUpdateRequest
  4: { known: 1, length: () => 8 }, // KeyEvent
  5: { known: 1, length: () => 6 }, // PointerEvent
  6: { known: 8, length: (head) => 8 + Math.abs(head.readInt32BE(4)) }, // ClientCutText; a negative length marks the extended clipboard
  150: { known: 1, length: () => 10 }, // EnableContinuousUpdates
  248: { known: 9, length: (head) => 9 + head.readUInt8(8) }, // ClientFence
  250: { known: 1, length: () => 4 }, // xvp
  251: { known: 7, length: (head) => 8 + 16 * head.readUInt8(6) }, // SetDesktopSize
};
/** QEMU's own (type 255): an extended key event, or one of its audio messages, told apart by the next bytes. */
const qemuMessage = { known: 4, length: (head: Buffer) => (head[1] === 0 ? 12 : head.readUInt16BE(2) === 2 ? 10 : 4) };

const harmless = new Set([0, 2, 3]);
/** Of one SetEncodings; clients know some thirty. */
const mostEncodings = 256;
/** Versions before 3.7 shake hands in another way; nobody needs them. */
const greeting = /^RFB 003\.00[78]\n$/;
const noAuthentication = 1;

/** A client said what the protocol does not know; what follows cannot be told apart any more. */
export class ProtocolViolation extends Error {}

/** What came and is not used yet, in the pieces it came in: joining them with each new one would cost the square of a message's length. */
class PendingBytes {
  readonly #pieces: Buffer[] = [];
  length = 0;

  add(piece: Buffer): void {
    if (!piece.length) return;
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  /** The first bytes, at least as many as are asked for; there must be so many. */
  head(length: number): Buffer {
    let first = this.#pieces[0] ?? Buffer.alloc(0);
    while (first.length < length && this.#pieces.length > 1) {
      first = Buffer.concat(this.#pieces.splice(0, length));
      this.#pieces.unshift(first);
    }
    return first;
  }

  take(length: number): Buffer {
    const first = this.#pieces[0] ?? Buffer.alloc(0);
    this.length -= length;
    if (first.length > length) {
      this.#pieces[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    let count = 0;
    for (let bytes = 0; bytes < length; count++) bytes += this.#pieces[count]?.length ?? length;
    const joined = count === 1 ? first : Buffer.concat(this.#pieces.slice(0, count));
    const rest = joined.subarray(length);
    this.#pieces.splice(0, count, ...(rest.length ? [rest] : []));
    return joined.subarray(0, length);
  }
}

/** Keys whose press changes what others mean; a held one does nothing again (X11 keysyms: ISO_Lock to ISO_Last_Group_Lock, Scroll_Lock, Mode_switch, Num_Lock, Shift_L to Hyper_R). */
const isModifier = (keysym: number) =>
  (keysym >= 0xfe01 && keysym <= 0xfe0f) ||
  keysym === 0xff14 ||
  keysym === 0xff7e ||
  keysym === 0xff7f ||
  (keysym >= 0xffe1 && keysym <= 0xffee);
/** More than hands have fingers; a client that presses without end costs no more memory. */
const mostHeldKeys = 64;

/**
 * What a console's client says to a guest's screen, message by message (RFC 6143, 7.5); messages come in pieces of any size.
 *
 * A viewer's messages pass only where they are needed to see the screen. A viewer also never asks for the screen alone, which would throw all others out
 * (RFC 6143, 7.3.1).
 *
 * A key that is pressed again while it is held, which is how browsers repeat it, is released before: the guest itself repeats none
 * (`guest/openfactory-helper`, keyboard), so that a release that is late on its way types nothing.
 */
export class ClientMessages {
  readonly #pending = new PendingBytes();
  /** Of a message too long to gather: bytes still to come. */
  #unfinished = 0;
  #step: 'version' | 'security' | 'init' | 'messages' = 'version';
  readonly #held = new Set<string>();

  /** @param options `onMessage` is told of every message before it is looked at, and may throw */
  constructor(private readonly options: { viewOnly: boolean; onMessage?: () => void }) {}

  /** @returns what of it passes. @throws ProtocolViolation */
  pass(chunk: Buffer): Buffer {
    const passed: Buffer[] = [];
    this.#pending.add(chunk);
    for (let part = this.#next(); part; part = this.#next()) passed.push(part);
    return Buffer.concat(passed);
  }

  /** The next piece that passes, empty for one that does not; undefined where more has to come first. */
  #next(): Buffer | undefined {
    if (!this.#pending.length) return undefined;
    if (this.#unfinished) return this.#goOn();
    switch (this.#step) {
      case 'version':
        return this.#handshake(12, 'security', (text) => greeting.test(text.toString('latin1')));
      case 'security':
        return this.#handshake(1, 'init', (type) => type[0] === noAuthentication);
      case 'init':
        this.#take(1);
        this.#step = 'messages';
        return Buffer.from([1]);
      case 'messages':
        return this.#message();
    }
  }

  #handshake(length: number, following: 'security' | 'init', isRight: (said: Buffer) => boolean): Buffer | undefined {
    if (this.#pending.length < length) return undefined;
    const said = this.#take(length);
    if (!isRight(said))
      throw new ProtocolViolation('The client’s handshake is not that of RFB 3.7 or 3.8 without authentication.');
    this.#step = following;
    return said;
  }

  #message(): Buffer | undefined {
    const type = this.#pending.head(1)[0] ?? 0;
    const rule = type === 255 ? qemuMessage : lengths[type];
    if (!rule) throw new ProtocolViolation(`The client sent a message of type ${type}, which is unknown.`);
    if (this.#pending.length < rule.known) return undefined;
    const head = this.#pending.head(rule.known);
    const length = rule.length(head);
    if (type === 2 && head.readUInt16BE(2) > mostEncodings)
      throw new ProtocolViolation(`The client named more than ${mostEncodings} encodings.`);
    const isKey = type === 4 || (type === 255 && length === 12);
    if (harmless.has(type) || isKey) {
      if (this.#pending.length < length) return undefined;
      this.options.onMessage?.();
      const message = this.#take(length);
      return isKey ? this.#key(message) : message;
    }
    this.options.onMessage?.();
    // Never gathered: it may be gigabytes long.
    this.#unfinished = length;
    return this.#goOn();
  }

  #goOn(): Buffer {
    const part = this.#take(Math.min(this.#unfinished, this.#pending.length));
    this.#unfinished -= part.length;
    return this.options.viewOnly ? Buffer.alloc(0) : part;
  }

  /** KeyEvent: type, down, padding (2), keysym (4). QEMU's: type, 0, down (2), keysym (4), keycode (4). */
  #key(message: Buffer): Buffer {
    if (this.options.viewOnly) return Buffer.alloc(0);
    const isPress = message.length === 8 ? message[1] !== 0 : message.readUInt16BE(2) !== 0;
    const key = `${message.length} ${message.readUInt32BE(message.length - 4)}`;
    if (!isPress) {
      this.#held.delete(key);
      return message;
    }
    if (this.#held.has(key) && !isModifier(message.readUInt32BE(4)))
      return Buffer.concat([
        Buffer.from(message).fill(0, message.length === 8 ? 1 : 2, message.length === 8 ? 2 : 4),
        message,
      ]);
    if (this.#held.size < mostHeldKeys) this.#held.add(key);
    return message;
  }

  #take(length: number): Buffer {
    return this.#pending.take(length);
  }
}
