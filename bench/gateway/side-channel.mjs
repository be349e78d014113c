// A measured server runs in a process of its own and tells its parent over IPC what it has used.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const startWithinMs = 60_000;
const stopWithinMs = 15_000;

/**
 * In the server's process: announces the server, answers questions, and stops when told or when the parent is gone.
 * @param answers further questions by name: functions that give what is sent back
 */
export function serveSideChannel(url, stop, answers = {}) {
  let stopping;
  const end = () =>
    (stopping ??= stop().then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    ));
  process.on('disconnect', end);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, end);
  process.on('message', async (question) => {
    if (question === 'stop') return end();
    if (question === 'cpu') return process.send(process.cpuUsage());
    if (Object.hasOwn(answers, question)) return process.send(await answers[question]());
    // Several collections: what finalisers let go of is freed by the next one.
    for (let round = 0; round < 4; round++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.send(process.memoryUsage());
  });
  // The parent may have gone while the server was starting.
  if (process.connected) process.send({ url });
  else end();
}

/** In the parent: starts `file` and waits for its URL. */
export async function startServer(file, args, execArgv = []) {
  const child = fork(path.join(import.meta.dirname, file), args, {
    execArgv: ['--expose-gc', ...execArgv],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const answer = async (withinMs) => {
    const [reply] = await Promise.race([
      once(child, 'message', { signal: AbortSignal.timeout(withinMs) }),
      exited.then(([code]) => Promise.reject(new Error(`${file} ended with ${code}.`))),
    ]);
    return reply;
  };
  const ask = (question) => {
    const reply = answer(30_000);
    child.send(question);
    return reply;
  };
  const stop = async () => {
    if (child.exitCode === null && child.connected) child.send('stop');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    await exited;
    clearTimeout(timer);
  };
  try {
    const { url } = await answer(startWithinMs);
    return {
      url,
      stop,
      /** One question at a time. */
      ask,
      /** CPU time of the process so far, all threads, in milliseconds. */
      cpuMs: async () => {
        const { user, system } = await ask('cpu');
        return (user + system) / 1000;
      },
      /** After forced collections, in bytes. */
      memory: () => ask('memory'),
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}
