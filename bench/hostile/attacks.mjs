// What strangers send: each attack goes on in a thread of its own for as long as it is watched, `new Worker(this file, { workerData: { url, name, seconds, vm } })`,
// and says at the end how often it was sent and what was answered.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import WebSocket from 'ws';
import { json, openSession, post, rpc } from './mcp-call.mjs';

/** Not the address of who is watched: they are two callers. */
const from = '127.0.0.66';
const unknown = Object.fromEntries(Array.from({ length: 99_000 }, (_, at) => [`k${at}`, 0]));
const recipe = (more) => ({ name: 'hostile', base_image: 'debian-bookworm', ...more });
const users = Array.from({ length: 100 }, (_, at) => ({ username: `user${at}`, password: `correct horse ${at}` }));
const farOff = Array.from({ length: 20 }, (_, at) => `${'zqxjkvbwy'.repeat(4)}${at}`);
const again = (route, text) => () => post(workerData.url, route, text, { from });

/** One of them holds nothing open: it is sent again as soon as it is answered, on four connections. */
const requests = {
  '99,000 unknown fields to recipes/validate': again('/api/recipes/validate', JSON.stringify({ recipe: unknown })),
  '99,000 unknown fields to auth/token': again('/api/auth/token', JSON.stringify(unknown)),
  '99,000 unknown fields over MCP': async () => await post(workerData.url, '/api/mcp', rpc('tools/call', { name: 'validate_recipe', arguments: { recipe: unknown } }), { from, headers: await session() }),
  '20 far-off package names': again('/api/recipes/validate', JSON.stringify({ recipe: recipe({ packages: farOff }) })),
  '100 passwords to create_build': again('/api/builds', JSON.stringify({ recipe: recipe({ users }) })),
  'initialize of 3 MiB': again('/api/mcp', rpc('initialize', { protocolVersion: '2025-11-25', capabilities: { other: 'x'.repeat(3 << 20) }, clientInfo: { name: 'c', version: '1' } })),
  'an array of a million': again('/api/recipes/validate', JSON.stringify({ recipe: recipe({ packages: Array(480_000).fill('a') }) })),
};

let opened;
const session = () => (opened ??= openSession(workerData.url, from));

async function repeat(send, until) {
  const answers = {};
  const one = async () => {
    while (Date.now() < until) {
      const { status: answer } = await send();
      answers[answer] = (answers[answer] ?? 0) + 1;
      // A refused connection is answered at once; a loop without a pause would measure this thread.
      if (answer === 'cut') await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: 4 }, one));
  return answers;
}

/** Two hundred bodies that never come whole. */
async function halfSent(until) {
  const answers = {};
  const held = Array.from({ length: 200 }, () => {
    const request = http.request(`${workerData.url}/api/recipes/validate`, { method: 'POST', localAddress: from, agent: false, headers: { ...json, 'content-length': 2_000_000 } }, (response) => {
      answers[response.statusCode] = (answers[response.statusCode] ?? 0) + 1;
      response.resume();
    });
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

/** Frames of one byte on a console that may only look on, and on the next one where that was closed. */
async function oneByteFrames(until) {
  const answers = {};
  while (Date.now() < until) {
    const response = await fetch(`${workerData.url}/api/vms/${workerData.vm}/console-url`, { method: 'POST', headers: json, body: JSON.stringify({ view_only: true }) });
    const token = new URLSearchParams(new URL((await response.json()).url).hash.slice(1)).get('token');
    const socket = new WebSocket(`${workerData.url.replace('http', 'ws')}/api/vms/console`, ['openfactory-console.v1', `token.${token}`], { origin: workerData.url, perMessageDeflate: false });
    const code = await new Promise((resolve) => {
      socket.on('close', resolve).on('error', () => undefined);
      socket.on('open', async () => {
        for (let sent = 0; sent < 800_000 && socket.readyState === WebSocket.OPEN; sent++) {
          socket.send(Buffer.from([2]));
          if (sent % 1_000 === 0) await sleep(0);
        }
        socket.close();
      });
    });
    answers[code] = (answers[code] ?? 0) + 1;
  }
  return answers;
}

export const attackNames = [...Object.keys(requests), '200 bodies half sent'];
export const consoleAttack = 'one-byte frames to a console';

if (parentPort) {
  const until = Date.now() + workerData.seconds * 1_000;
  const { name } = workerData;
  const attack = name === '200 bodies half sent' ? halfSent : name === consoleAttack ? oneByteFrames : (end) => repeat(requests[name], end);
  parentPort.postMessage(await attack(until));
}
