// How long others wait meanwhile: somebody who asks whether the factory lives, and somebody who calls a tool.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSession, post, rpc } from './mcp-call.mjs';

const pauseMs = 25;
/** Not that of the attack. */
const from = '127.0.0.77';

function isAlive(url) {
  return new Promise((resolve, reject) => {
    http
      .get(`${url}/api/health/live`, { localAddress: from, agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      })
      .on('error', reject);
  });
}

async function timed(ask) {
  const began = performance.now();
  const status = await ask();
  if (status !== 200) throw new Error(`Somebody else was answered ${status}.`);
  return performance.now() - began;
}

/** @returns milliseconds of every answer until `isOver()` */
async function series(isOver, ask) {
  const times = [];
  while (!isOver()) {
    times.push(await ask());
    await sleep(pauseMs);
  }
  return times;
}

/** @returns milliseconds of the answers of both until `isOver()` */
export async function watch(url, isOver) {
  const headers = await openSession(url, from);
  const call = rpc('tools/call', { name: 'list_recipe_categories', arguments: {} });
  const [live, tool] = await Promise.all([
    series(isOver, () => timed(() => isAlive(url))),
    series(isOver, () => timed(async () => (await post(url, '/api/mcp', call, { from, headers })).status)),
  ]);
  return { live, tool };
}
