// Attacks that hold something open: bodies, answers, a session, a console.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { ask, json, rpc } from './mcp-call.mjs';
import { from } from './requests.mjs';

const count = (answers, answer) => (answers[answer] = (answers[answer] ?? 0) + 1);

/** Two hundred bodies that never come whole. */
export async function halfSent({ url }, until) {
  const answers = {};
  const held = Array.from({ length: 200 }, () => {
    const request = http.request(
      `${url}/api/recipes/validate`,
      { method: 'POST', localAddress: from, agent: false, headers: { ...json, 'content-length': 2_000_000 } },
      (response) => {
        count(answers, response.statusCode);
        response.resume();
      },
    );
    request.on('error', () => undefined);
    request.write('{"recipe":');
    return request;
  });
  while (Date.now() < until) {
    for (const request of held) if (request.writable) request.write(' ');
    await sleep(250);
  }
  held.forEach((request) => request.destroy());
  return answers;
}

/** Sixty downloads of which nobody reads a byte. */
export async function unreadDownloads({ url, buildId }, until) {
  const answers = {};
  const { url: download } = JSON.parse((await ask(url, `/api/builds/${buildId}/download-url`, { text: '{}' })).text);
  const held = Array.from({ length: 60 }, () =>
    http
      .get(download, { localAddress: from, agent: false }, (response) => {
        count(answers, response.statusCode);
        response.pause();
        response.on('error', () => undefined);
      })
      .on('error', () => undefined),
  );
  while (Date.now() < until) await sleep(250);
  held.forEach((request) => request.destroy());
  return answers;
}

/** Pings of one session over HTTP+SSE, whose stream is read: some hundred a turn, on connections that stay open. */
export async function pings({ url }, until) {
  const answers = {};
  const stream = await new Promise((resolve, reject) =>
    http
      .get(
        `${url}/api/mcp/sse`,
        { localAddress: from, agent: false, headers: { accept: 'text/event-stream' } },
        resolve,
      )
      .on('error', reject),
  );
  const messages = await new Promise((resolve) => {
    let text = '';
    stream.on('data', (chunk) => {
      if (text.length < 10_000) text += String(chunk);
      const place = /^data: (\S+)\n/m.exec(text)?.[1];
      if (place) resolve(place);
    });
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const one = async (first) => {
    for (let id = first; Date.now() < until; id += 64) {
      const text = JSON.stringify({ ...JSON.parse(rpc('ping')), id });
      count(answers, (await ask(url, messages, { from, agent, text })).status);
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, at) => one(at + 1)));
  agent.destroy();
  stream.destroy();
  return answers;
}

const handshake = Buffer.from('RFB 003.008\n\x01\x01', 'latin1');
/** 256 encodings: the most of one message. */
const encodings = Buffer.alloc(4 + 4 * 256);
encodings.set([2, 0, 1, 0]);
const oneByte = (socket, sent) =>
  socket.send(encodings.subarray(sent % encodings.length, (sent % encodings.length) + 1));

/** Frames on a console that may only look on, and on the next one where that was closed. */
const consoleFlood =
  (frame) =>
  async ({ url, vm }, until) => {
    const answers = {};
    while (Date.now() < until) {
      const { url: page } = JSON.parse(
        (await ask(url, `/api/vms/${vm}/console-url`, { text: '{"view_only":true}' })).text,
      );
      const token = new URLSearchParams(new URL(page).hash.slice(1)).get('token');
      const socket = new WebSocket(
        `${url.replace('http', 'ws')}/api/vms/console`,
        ['openfactory-console.v1', `token.${token}`],
        { origin: url, perMessageDeflate: false },
      );
      const code = await new Promise((resolve) => {
        socket.on('close', resolve).on('error', () => undefined);
        socket.on('open', async () => {
          socket.send(handshake);
          for (let sent = 0; sent < 800_000 && socket.readyState === WebSocket.OPEN && Date.now() < until; sent++) {
            frame(socket, sent);
            if (sent % 1_000 === 0) await sleep(0);
          }
          socket.close();
        });
      });
      count(answers, code);
      await sleep(20);
    }
    return answers;
  };
export const oneByteFrames = consoleFlood(oneByte);
export const pingFrames = consoleFlood((socket) => socket.ping());

/** Looks at a screen without a rest: asks for the whole of it again and again, and reads what comes. */
export async function restlessViewer({ url, vm }, until) {
  const answers = {};
  const { url: page } = JSON.parse((await ask(url, `/api/vms/${vm}/console-url`, { text: '{"view_only":true}' })).text);
  const token = new URLSearchParams(new URL(page).hash.slice(1)).get('token');
  const socket = new WebSocket(
    `${url.replace('http', 'ws')}/api/vms/console`,
    ['openfactory-console.v1', `token.${token}`],
    { origin: url, perMessageDeflate: false },
  );
  socket
    .on('error', () => undefined)
    .on('close', (code) => count(answers, code))
    .on('message', (data) => (answers.bytes = (answers.bytes ?? 0) + data.length));
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(handshake);
  while (Date.now() < until && socket.readyState === WebSocket.OPEN) {
    socket.send(Buffer.from([3, 0, 0, 0, 0, 0, 16, 0, 16, 0]));
    await sleep(10);
  }
  socket.close();
  return answers;
}
