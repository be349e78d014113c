import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket, type ClientOptions } from 'ws';
import { FactorySecret, signClaims } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { consoleEnding, openConsole, received, shakeHands, tokenOfUrl } from '../support/console-client.js';
import { consoleFixture, FixtureVms, impatientTimeouts } from '../support/console-fixture.module.js';
import { send } from '../support/raw-client.js';

const environment = { OPENFACTORY_SECRET: randomBytes(32).toString('hex') };
let app: TestApp;
let vms: FixtureVms;
beforeAll(async () => {
  app = await startTestApp({ environment, consoleModule: consoleFixture(impatientTimeouts) });
  vms = app.app.get(FixtureVms);
  vms.add('url');
});
afterAll(() => app.stop());

const path = '/api/vms/console';

async function tokenFor(name: string, body: object = {}): Promise<string> {
  const response = await send(`${app.url}/api/vms/${name}/console-url`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return tokenOfUrl(response.json().url as string);
}

const open = (token: string, options?: ClientOptions) => openConsole(app.url, token, options);

const lengthOf = (length: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

/** A token that the factory could have made, at will: VM, flag, expiry, and no principal. */
function tokenOf({ vmId, expiresAt }: { vmId: string; expiresAt: Date }): string {
  const claims = Buffer.alloc(40);
  claims.write(vmId.replaceAll('-', ''), 'hex');
  claims.writeUIntBE(Math.floor(expiresAt.getTime() / 1000), 17, 6);
  return signClaims(new FactorySecret(environment.OPENFACTORY_SECRET).derive('vm-console'), claims);
}

describe('the console URL', () => {
  it('names the VM, and has its token where no log sees it', async () => {
    const response = await send(`${app.url}/api/vms/url/console-url`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"view_only":true}',
    });
    const answer = response.json();
    expect({ status: response.status, ...answer }).toMatchObject({ status: 200, vm_name: 'url', view_only: true });
    const url = new URL(answer.url);
    expect(url.href.startsWith(`${app.url}/console/url#`)).toBe(true);
    expect(url.search).toBe('');
    expect(new Date(answer.expires_at).getTime() - Date.now()).toBeLessThanOrEqual(10 * 60_000);
  });

  it('is refused for what is no VM of the caller’s, and for a wrong body', async () => {
    const post = (name: string, body: string) =>
      send(`${app.url}/api/vms/${name}/console-url`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    expect(await post('nobody', '{}')).toMatchObject({ status: 404 });
    expect(await post('url', '{"view_only":"perhaps"}')).toMatchObject({ status: 400 });
    expect(await post('url', '[]')).toMatchObject({ status: 400 });
  });

  it('leads to a page with a strict policy, and to nothing beside the page’s own files', async () => {
    const page = await send(`${app.url}/console/any-name`);
    expect(page).toMatchObject({
      status: 200,
      headers: {
        'content-type': expect.stringContaining('text/html'),
        'content-security-policy': expect.stringContaining("script-src 'self'"),
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      },
    });
    const [, script] = /src="\.\/(assets\/[^"]+)"/.exec(page.body) ?? [];
    expect(page.body).toContain('<base href="../" />');
    expect(page.body.match(/<script(?![^>]*\bsrc=)/)).toBeNull();
    expect(await send(`${app.url}/${script}`)).toMatchObject({
      status: 200,
      headers: {
        'content-type': expect.stringContaining('javascript'),
        'cache-control': expect.stringContaining('immutable'),
      },
    });
    for (const stray of ['assets/..%2f..%2fapps', 'assets/%2e%2e%2findex.html', 'assets/none.js', 'assets/.env'])
      expect((await send(`${app.url}/${stray}`)).status).toBeGreaterThanOrEqual(400);
  });
});

describe('the console’s connection', () => {
  it('carries bytes both ways', async () => {
    vms.add('echo');
    const socket = open(await tokenFor('echo'));
    await shakeHands(socket);
    // Text of a clipboard (RFC 6143, 7.5.6), which the factory passes as it is.
    const said = Buffer.concat([Buffer.from([6, 0, 0, 0]), lengthOf(300_000), randomBytes(300_000)]);
    const heard = received(socket, said.length);
    socket.send(said);
    expect((await heard).equals(said)).toBe(true);
    expect(socket.protocol).toBe('openfactory-console.v1');
    socket.terminate();
  });

  it('reaches the VM of its token and no other', async () => {
    const [mine, other] = [vms.add('mine'), vms.add('other')];
    const opened: string[] = [];
    for (const { guest, vm } of [mine, other]) {
      const original = guest.openScreen.bind(guest);
      guest.openScreen = () => (opened.push(vm.name), original());
    }
    const socket = open(await tokenFor('mine'));
    await shakeHands(socket);
    expect(opened).toEqual(['mine']);
    socket.terminate();
  });

  it.each<[string, () => Promise<string> | string, { code: number; reason: string }]>([
    [
      'forged',
      async () => `A${(await tokenFor('url')).slice(1)}`.replace(/^AA/, 'AB'),
      { code: 4403, reason: 'console_link_invalid' },
    ],
    ['nonsense', () => 'x', { code: 4403, reason: 'console_link_invalid' }],
    [
      'expired',
      () => tokenOf({ vmId: randomUUID(), expiresAt: new Date(Date.now() - 1000) }),
      { code: 4403, reason: 'console_link_expired' },
    ],
    [
      'of a VM that is gone',
      () => tokenOf({ vmId: randomUUID(), expiresAt: new Date(Date.now() + 60_000) }),
      { code: 4404, reason: 'vm_not_found' },
    ],
  ])('is closed at once, with the reason, for a token that is %s', async (_what, make, expected) => {
    expect(await consoleEnding(open(await make()))).toEqual(expected);
  });

  it.each<[string, number, () => Promise<WebSocket>]>([
    ['of another origin', 403, async () => open(await tokenFor('url'), { origin: 'https://evil.example' })],
    ['for another host', 403, async () => open(await tokenFor('url'), { headers: { host: 'evil.example' } })],
    [
      'without a token',
      400,
      () => Promise.resolve(new WebSocket(`${app.url.replace('http', 'ws')}${path}`, ['openfactory-console.v1'])),
    ],
    [
      'with its token in the URL',
      400,
      async () => new WebSocket(`${app.url.replace('http', 'ws')}${path}?token=${await tokenFor('url')}`),
    ],
  ])('is not accepted %s', async (_what, status, make) => {
    const socket = await make();
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(status);
  });

  it('leaves requests alone that offer another upgrade, and other paths', async () => {
    const asked = request(`${app.url}/api/health/live`, {
      headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' },
    }).end();
    const [response] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(200);
    const stray = new WebSocket(`${app.url.replace('http', 'ws')}/api/vms/consoles`);
    const [error] = (await once(stray, 'error')) as [Error];
    expect(error.message).toContain('404');
  });

  it('drops what a viewer would change', async () => {
    vms.add('viewed');
    const socket = open(await tokenFor('viewed', { view_only: true }));
    await once(socket, 'open');
    const update = Buffer.from([3, 1, 0, 0, 0, 0, 0, 9, 0, 9]);
    const heard = received(socket, 14 + update.length);
    socket.send(
      Buffer.concat([
        Buffer.from('RFB 003.008\n'),
        Buffer.from([1, 0]),
        Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]),
        Buffer.from([5, 1, 0, 1, 0, 1]),
        update,
      ]),
    );
    expect(await heard).toEqual(Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 1]), update]));
    const closed = consoleEnding(socket);
    socket.send(Buffer.from([99]));
    expect(await closed).toEqual({ code: 4400, reason: 'protocol_violation' });
  });

  it('ends with its guest', async () => {
    const { guest } = vms.add('ending');
    const socket = open(await tokenFor('ending'));
    await shakeHands(socket);
    const closed = consoleEnding(socket);
    await guest.quit();
    expect(await closed).toEqual({ code: 4410, reason: 'guest_ended' });
  });

  it('ends when the VM is nobody’s any more, though its guest runs', async () => {
    const { vm } = vms.add('deleted');
    const socket = open(await tokenFor('deleted'));
    await once(socket, 'open');
    vms.forget(vm.id);
    expect(await consoleEnding(socket)).toEqual({ code: 4404, reason: 'vm_not_found' });
  });

  it('is open at most ten times for one owner', async () => {
    vms.add('crowd');
    const token = await tokenFor('crowd');
    const sockets = Array.from({ length: 10 }, () => open(token));
    await Promise.all(
      sockets.map(async (socket) => {
        await shakeHands(socket);
      }),
    );
    expect(await consoleEnding(open(token))).toEqual({ code: 4429, reason: 'console_quota' });
    for (const socket of sockets) socket.terminate();
  });

  it('refuses a message that no browser sends', async () => {
    vms.add('large');
    const socket = open(await tokenFor('large'));
    await once(socket, 'open');
    const closed = consoleEnding(socket);
    socket.send(Buffer.alloc(2 * 1024 * 1024));
    expect((await closed).code).toBe(1009);
  });

  it('makes the screen wait for a slow reader, and leaves one that is gone', async () => {
    const { guest } = vms.add('slow');
    const sent = { bytes: 0 };
    let screenEnd: Duplex | undefined;
    guest.openScreen = () => {
      const [ours, screen] = duplexPair();
      screenEnd = ours;
      const chunk = Buffer.alloc(64 * 1024);
      // In turns: a pair in one process would leave nothing else its turn.
      const flood = (): void => {
        if (ours.destroyed) return;
        sent.bytes += chunk.length;
        screen.write(chunk, () => setImmediate(flood));
      };
      flood();
      return Promise.resolve(ours);
    };
    const socket = open(await tokenFor('slow'));
    await once(socket, 'open');
    socket.pause();
    let before = -1;
    while (before !== sent.bytes) {
      before = sent.bytes;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    // What kernels buffer between the two comes on top of our own bound.
    expect(sent.bytes).toBeLessThan(40 * 1024 * 1024);
    // It answers no ping while it is paused.
    if (!screenEnd?.closed) await once(screenEnd as Duplex, 'close');
    socket.terminate();
  });
});

it('closes consoles when the factory stops', async () => {
  const other = await startTestApp({ consoleModule: consoleFixture(impatientTimeouts) });
  other.app.get(FixtureVms).add('last');
  const response = await send(`${other.url}/api/vms/last/console-url`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const socket = openConsole(other.url, tokenOfUrl(response.json().url as string));
  await shakeHands(socket);
  const closed = consoleEnding(socket);
  await other.stop();
  expect(await closed).toEqual({ code: 1001, reason: 'factory_stopping' });
});
