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
/** Versions before 3.7 shake hands in another way; nobody needs them. */
const greeting = /^RFB 003\.00[78]\n$/;
const noAuthentication = 1;

/** A client said what the protocol does not know; what follows cannot be told apart any more. */
export class ProtocolViolation extends Error {}

/**
 * Lets through what a client must say in order to see a screen, and drops what would change anything on it. Messages come in pieces of any size.
 * A viewer also never asks for the screen alone, which would throw all others out (RFC 6143, 7.3.1).
 */
export class ViewOnlyFilter {
  #pending = Buffer.alloc(0);
  #skipping = 0;
  #step: 'version' | 'security' | 'init' | 'messages' = 'version';

  /** @returns what of it may pass. @throws ProtocolViolation */
  pass(chunk: Buffer): Buffer {
    const passed: Buffer[] = [];
    this.#pending = Buffer.concat([this.#pending, this.#skip(chunk)]);
    for (let part = this.#next(); part; part = this.#next()) passed.push(part);
    return Buffer.concat(passed);
  }

  #skip(chunk: Buffer): Buffer {
    const skipped = Math.min(this.#skipping, chunk.length);
    this.#skipping -= skipped;
    return chunk.subarray(skipped);
  }

  /** The next piece that passes, empty for one that does not; undefined where more has to come first. */
  #next(): Buffer | undefined {
    if (!this.#pending.length) return undefined;
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
    if (!isRight(said)) throw new ProtocolViolation('The client’s handshake is not that of RFB 3.7 or 3.8 without authentication.');
    this.#step = following;
    return said;
  }

  #message(): Buffer | undefined {
    const type = this.#pending.readUInt8(0);
    const rule = type === 255 ? qemuMessage : lengths[type];
    if (!rule) throw new ProtocolViolation(`The client sent a message of type ${type}, which is unknown.`);
    if (this.#pending.length < rule.known) return undefined;
    const length = rule.length(this.#pending);
    if (harmless.has(type)) return this.#pending.length < length ? undefined : this.#take(length);
    // Never gathered: it may be gigabytes long.
    this.#skipping = length - this.#take(Math.min(length, this.#pending.length)).length;
    return Buffer.alloc(0);
  }

  #take(length: number): Buffer {
    const taken = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return taken;
  }
}
