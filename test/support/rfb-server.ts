import type { Duplex } from 'node:stream';

/** What a client did at the screen, as RFB says it. */
export interface RfbInput {
  keys: { keysym: number; down: boolean }[];
  pointers: number;
}

/** A VNC server of the smallest kind (RFC 6143): no authentication, one size, one colour, raw encoding. Knows what noVNC sends. */
export async function serveRfb(
  stream: Duplex,
  input: RfbInput,
  [width, height]: [number, number] = [320, 200],
): Promise<void> {
  let pending = Buffer.alloc(0);
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const take = async (length: number): Promise<Buffer> => {
    while (pending.length < length) {
      const { value, done } = await chunks.next();
      if (done) throw new Error('The client went away.');
      pending = Buffer.concat([pending, value]);
    }
    const taken = pending.subarray(0, length);
    pending = pending.subarray(length);
    return taken;
  };
  stream.write('RFB 003.008\n');
  await take(12);
  stream.write(Buffer.from([1, 1]));
  await take(1);
  stream.write(Buffer.alloc(4));
  await take(1);
  stream.write(serverInit(width, height));
  for (;;) {
    const [type = 0] = await take(1);
    switch (type) {
      case 0:
        await take(19);
        break;
      case 2:
        await take(4 * (await take(3)).readUInt16BE(1));
        break;
      case 3:
        await take(9);
        stream.write(greyFrame(width, height));
        break;
      case 4: {
        const event = await take(7);
        input.keys.push({ keysym: event.readUInt32BE(3), down: event[0] === 1 });
        break;
      }
      case 5:
        await take(5);
        input.pointers++;
        break;
      case 6:
        await take((await take(7)).readUInt32BE(3));
        break;
      default:
        throw new Error(`The client sent a message of type ${type}.`);
    }
  }
}

/** 32 bits a pixel, depth 24, little-endian, red at 16 (RFC 6143, 7.3.2). */
function serverInit(width: number, height: number): Buffer {
  const name = Buffer.from('test');
  const bytes = Buffer.alloc(24);
  bytes.writeUInt16BE(width, 0);
  bytes.writeUInt16BE(height, 2);
  bytes.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
  bytes.writeUInt32BE(name.length, 20);
  return Buffer.concat([bytes, name]);
}

function greyFrame(width: number, height: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(width, 8);
  head.writeUInt16BE(height, 10);
  return Buffer.concat([head, Buffer.alloc(4 * width * height, 0x90)]);
}
