import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.js';
import { consoleEnding, handshake, openConsole, shakeHands, tokenOfUrl } from '../support/console-client.js';
import { consoleFixture, FixtureVms, impatientTimeouts } from '../support/console-fixture.module.js';
import { send } from '../support/raw-client.js';

let app: TestApp;
let vms: FixtureVms;
beforeAll(async () => {
  app = await startTestApp({ environment: {}, consoleModule: consoleFixture(impatientTimeouts) });
  vms = app.app.get(FixtureVms);
});
afterAll(() => app.stop());

async function consoleOf(name: string, viewOnly: boolean): Promise<WebSocket> {
  vms.add(name);
  const response = await send(`${app.url}/api/vms/${name}/console-url`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ view_only: viewOnly }),
  });
  return openConsole(app.url, tokenOfUrl(response.json().url as string));
}

const setEncodings = Buffer.alloc(4 + 4 * 256, 0);
setEncodings.set([2, 0, 1, 0]);
const updates = Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([3, 1, 0, 0, 0, 0, 0, 9, 0, 9])));

describe('frames and messages of a console', () => {
  it.each<[string, boolean, (socket: WebSocket) => void]>([
    [
      'one-byte frames',
      false,
      (socket) =>
        Array.from({ length: 50_000 }, (_, at) =>
          socket.send(setEncodings.subarray(at % setEncodings.length, (at % setEncodings.length) + 1)),
        ),
    ],
    [
      'one-byte frames of a viewer',
      true,
      (socket) =>
        Array.from({ length: 50_000 }, (_, at) =>
          socket.send(setEncodings.subarray(at % setEncodings.length, (at % setEncodings.length) + 1)),
        ),
    ],
    ['messages in one frame', true, (socket) => socket.send(updates)],
    ['bytes', true, (socket) => Array.from({ length: 6 }, () => socket.send(Buffer.alloc(1_000_000, 0)))],
  ])('end it: too many %s', async (what, viewOnly, flood) => {
    const socket = await consoleOf(what.replaceAll(' ', '-'), viewOnly);
    const ending = consoleEnding(socket);
    if (what === 'bytes') {
      // Not yet a message: the bytes count, whatever is in them.
      await once(socket, 'open');
      socket.send(Buffer.concat([handshake, Buffer.from([6, 0, 0, 0, 0x7f, 0, 0, 0])]));
    } else await shakeHands(socket);
    flood(socket);
    expect(await ending).toEqual({ code: 4429, reason: 'console_flooded' });
  });

  it('end it: too many encodings, too many pieces of a message', async () => {
    const socket = await consoleOf('encodings', true);
    await shakeHands(socket);
    socket.send(Buffer.from([2, 0, 255, 255]));
    expect(await consoleEnding(socket)).toEqual({ code: 4400, reason: 'protocol_violation' });
    const other = await consoleOf('pieces', true);
    await shakeHands(other);
    for (let piece = 0; piece < 40; piece++) other.send(Buffer.from([0]), { fin: false });
    expect(await consoleEnding(other)).toMatchObject({ code: 1008 });
  });

  it('leave the owner another console', async () => {
    const socket = await consoleOf('after', false);
    await shakeHands(socket);
    socket.close();
  });
});
