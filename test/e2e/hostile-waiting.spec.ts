import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpTimeouts, bodyLimits, drainLimits, mostAnswersOfAddress } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { FakeBuildPipeline } from '../support/fake-build-pipeline.js';
import { postJson, send } from '../support/raw-client.js';
import { until } from '../support/until.js';

const pipeline = new FakeBuildPipeline();
// Far more than the buffers of both kernels take.
pipeline.imageLines = 3_000_000;
const drainMs = drainLimits.ms;
const usual = new HttpTimeouts();
let app: TestApp;
let timeouts: HttpTimeouts;
let url: string;
/** Of the factory, open now. */
const sockets = new Set<Socket>();

beforeAll(async () => {
  app = await startTestApp({ pipelineModule: pipeline.module, environment: { OPENFACTORY_ROLES: 'api,worker' } });
  timeouts = app.app.get(HttpTimeouts);
  app.app.getHttpServer().on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const { build_id: id } = (
    await postJson(`${app.url}/api/builds`, { recipe: { name: 'large', base_image: 'debian-bookworm' } })
  ).json();
  await comes(async () => (await send(`${app.url}/api/builds/${id}/status`)).json().status === 'completed');
  url = (await postJson(`${app.url}/api/builds/${id}/download-url`, {})).json().url;
});
afterEach(() => {
  Object.assign(timeouts, usual);
  drainLimits.ms = drainMs;
});
afterAll(async () => {
  await app?.stop();
  await pipeline.dispose();
});

/** Opens a download and reads nothing of it. */
const unread = (from: string): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    http
      .get(url, { localAddress: from, agent: false }, (response) => {
        response.pause();
        response.on('error', () => undefined);
        resolve(response);
      })
      .on('error', reject);
  });
const comes = async (holds: () => boolean | Promise<boolean>) =>
  expect(await until(async () => await holds(), Boolean, 20_000)).toBe(true);
const of = (address: string) => [...sockets].filter(({ remoteAddress }) => remoteAddress?.endsWith(address));

describe('downloads that nobody reads', () => {
  it('have a bound by address, hold little memory, and leave others theirs', async () => {
    const held = await Promise.all(Array.from({ length: mostAnswersOfAddress }, () => unread('127.0.0.21')));
    expect(held.map(({ statusCode }) => statusCode)).toEqual(held.map(() => 200));
    expect((await send(url, { from: '127.0.0.21' })).json()).toMatchObject({
      status: 429,
      reason: 'too_many_downloads',
    });
    expect((await send(url, { from: '127.0.0.22', headers: { range: 'bytes=0-4' } })).body).toBe('image');
    await sleep(300);
    expect(of('127.0.0.21')).toHaveLength(mostAnswersOfAddress);
    expect(Math.max(...of('127.0.0.21').map(({ writableLength }) => writableLength))).toBeLessThan(2 << 20);
    held.forEach((response) => response.destroy());
    await comes(() => of('127.0.0.21').length === 0);
    expect((await send(url, { from: '127.0.0.21', headers: { range: 'bytes=0-4' } })).body).toBe('image');
  });

  it('end, and whoever reads, however slowly, gets it whole', async () => {
    timeouts.stalledMs = 2_000;
    const slow = await unread('127.0.0.24');
    let bytes = 0;
    slow.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      slow.pause();
      setTimeout(() => slow.resume(), bytes < 4 << 20 ? 20 : 0);
    });
    slow.resume();
    const held = await Promise.all(Array.from({ length: mostAnswersOfAddress }, () => unread('127.0.0.23')));
    await comes(() => of('127.0.0.23').length === 0);
    expect((await send(url, { from: '127.0.0.23', headers: { range: 'bytes=0-4' } })).body).toBe('image');
    await comes(() => slow.readableEnded);
    expect(bytes).toBe(Number(slow.headers['content-length']));
    held.forEach((response) => response.destroy());
  });
});

/** Sends the head and as much of a body, on a connection that this side never closes. @returns the connection, and the answer as soon as it is there */
function begin(
  route: string,
  {
    from,
    promised = 2_000_000,
    body = '{',
    method = 'POST',
  }: { from: string; promised?: number; body?: string; method?: string },
) {
  const socket = connect({ port: Number(new URL(app.url).port), host: '127.0.0.1', localAddress: from });
  socket.on('error', () => undefined);
  socket.write(
    `${method} ${route} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${promised}\r\n\r\n${body}`,
  );
  const answered = new Promise<{ status: number; reason: string } | 'cut'>((resolve) => {
    let text = '';
    socket
      .on('close', () => resolve('cut'))
      .on('data', (chunk) => {
        text += String(chunk);
        const [, status, reason] = /^HTTP\/1.1 (\d{3})[^]*?(?:"reason":"(\w+)"|\r\n\r\n[^{])/.exec(text) ?? [];
        if (status) resolve({ status: Number(status), reason: reason ?? '' });
      });
  });
  return { socket, answered };
}

describe('bodies that do not come', () => {
  it('are answered 408, their connections end, and what they held is free again', async () => {
    timeouts.bodySpanMs = 1_500;
    drainLimits.ms = 300;
    const held = Array.from({ length: bodyLimits.addressBodies }, (_, at) =>
      begin(at % 2 ? '/api/recipes/validate' : '/api/auth/token', { from: '127.0.0.25', promised: 60_000 }),
    );
    const overMcp = begin('/api/mcp', { from: '127.0.0.26', promised: 60_000 });
    expect((await Promise.all(held.map(({ answered }) => answered))).map((answer) => answer)).toEqual(
      held.map(() => ({ status: 408, reason: 'body_too_slow' })),
    );
    expect(await overMcp.answered).toEqual({ status: 408, reason: 'body_too_slow' });
    await comes(() => of('127.0.0.25').length + of('127.0.0.26').length === 0);
    expect((await postJson(`${app.url}/api/recipes/validate`, { recipe: {} }, { from: '127.0.0.25' })).status).toBe(
      200,
    );
  });

  it.each([60_000, 2_000_000])(
    'hold no more connections after a refusal than are drained at once (%d bytes)',
    async (promised) => {
      // Longer than anybody waits here.
      drainLimits.ms = 600_000;
      const refused = Array.from({ length: 3 * drainLimits.addressBodies }, () =>
        begin('/api/mcp-keys', { from: '127.0.0.27', promised }),
      );
      const answers = await Promise.all(refused.map(({ answered }) => answered));
      expect(
        answers.filter((answer) => answer !== 'cut' && answer.reason === 'credentials_required').length,
      ).toBeGreaterThanOrEqual(drainLimits.addressBodies);
      await comes(() => of('127.0.0.27').length <= drainLimits.addressBodies);
      refused.forEach(({ socket }) => socket.destroy());
      await comes(() => of('127.0.0.27').length === 0);
    },
  );

  it.each([60_000, 2_000_000])('hold a connection after a refusal for a moment only (%d bytes)', async (promised) => {
    drainLimits.ms = 300;
    const { answered } = begin('/api/mcp-keys', { from: '127.0.0.29', promised });
    expect(await answered).toEqual({ status: 401, reason: 'credentials_required' });
    await comes(() => of('127.0.0.29').length === 0);
  });

  it('where there are none: what comes is not read without end', async () => {
    for (const method of ['GET', 'DELETE']) {
      const { socket: sender } = begin('/api/health/live', { from: '127.0.0.28', method, promised: 1e9, body: '{}' });
      await comes(() => of('127.0.0.28').length > 0);
      const [socket] = of('127.0.0.28');
      const chunk = Buffer.alloc(256 << 10, ' ');
      const pour = () => {
        if (sender.destroyed || socket!.bytesRead > 3 * drainLimits.bytes) sender.destroy();
        else if (sender.write(chunk)) setImmediate(pour);
        else sender.once('drain', pour);
      };
      pour();
      await comes(() => of('127.0.0.28').length === 0);
      expect(socket!.bytesRead).toBeLessThan(2 * drainLimits.bytes);
    }
  });
});
