import { afterEach, describe, expect, it } from '@jest/globals';
import { peerPair, type Peer } from '../testing/socket-peer.js';
import { GuestAgentClient } from './guest-agent-client.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const marked = (value: object) => Buffer.concat([Buffer.of(0xff), Buffer.from(`${JSON.stringify(value)}\n`)]);
const peers: Peer[] = [];
const forever = new AbortController().signal;
afterEach(() => peers.splice(0).forEach((peer) => peer.end()));

type Answers = Record<string, (args: Record<string, unknown>) => object | Buffer | undefined>;
async function agentWith(answers: Answers, callDeadlineMs = 2_000) {
  const peer = await peerPair();
  peers.push(peer);
  const all: Answers = {
    'guest-sync-delimited': ({ id }) => marked({ return: id }),
    'guest-info': () => ({ return: { version: '7.2.22' } }),
    ...answers,
  };
  peer.answer(
    ({ execute, arguments: args }) =>
      all[String(execute)]?.((args ?? {}) as Record<string, unknown>) as Buffer | undefined,
  );
  return { peer, agent: new GuestAgentClient(peer.socket, callDeadlineMs) };
}

describe('GuestAgentClient', () => {
  it('finds its step behind half an old line', async () => {
    const { peer, agent } = await agentWith({
      'guest-sync-delimited': ({ id }) =>
        Buffer.concat([Buffer.from('"half": 1}\n{"return": 7}\n{"ret'), marked({ return: id })]),
    });
    await agent.waitUntilReady(forever);
    expect(await agent.version()).toBe('7.2.22');
    expect(peer.heard()).toContain('\u00ff{"execute":"guest-sync-delimited"');
  });

  it.each<[unknown, string]>([
    [{ version: 7 }, 'unknown'],
    [null, 'unknown'],
    [{ version: 'x'.repeat(1_000) }, `${'x'.repeat(40)}…`],
  ])('makes a version of %j', async (info, version) => {
    const { agent } = await agentWith({ 'guest-info': () => ({ return: info }) });
    expect(await agent.version()).toBe(version);
  });

  it('asks again until an agent is there', async () => {
    let asked = 0;
    const { agent } = await agentWith({
      'guest-sync-delimited': ({ id }) => (++asked < 3 ? undefined : marked({ return: id })),
    });
    await agent.waitUntilReady(forever, 50);
    expect(asked).toBe(3);
  });

  it('is there by a late answer to an earlier question, and takes those to the others for none to what it is asked next', async () => {
    const asked: number[] = [];
    // As QEMU's agent does: the mark is an error of its own, before the answer.
    const answerTo = (id: unknown) =>
      Buffer.concat([
        Buffer.from(
          `${JSON.stringify({ error: { class: 'GenericError', desc: "JSON parse error, stray '\\xff'" } })}\n`,
        ),
        marked({ return: id }),
      ]);
    const { agent, peer } = await agentWith({
      'guest-sync-delimited': ({ id }) => (asked.push(id as number) > 3 ? answerTo(id) : undefined),
    });
    const ready = agent.waitUntilReady(forever, 30);
    while (asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    peer.say(answerTo(asked[0]));
    await ready;
    const version = agent.version();
    for (const id of asked.slice(1, 3)) peer.say(answerTo(id));
    expect(await version).toBe('7.2.22');
  });

  it('runs a program to its end, with its input', async () => {
    let polls = 0;
    const asked: Record<string, unknown>[] = [];
    const { agent } = await agentWith({
      'guest-exec': (args) => {
        asked.push(args);
        return { return: { pid: 42 } };
      },
      'guest-exec-status': ({ pid }) =>
        ++polls < 3
          ? { return: { exited: false } }
          : {
              return: {
                exited: true,
                exitcode: pid === 42 ? 3 : 0,
                'out-data': base64('out ü'),
                'err-data': base64('err'),
              },
            },
    });
    expect(await agent.execute('/bin/cat', ['-n'], { deadlineMs: 5_000, input: 'text' })).toEqual({
      code: 3,
      stdout: 'out ü',
      stderr: 'err',
    });
    expect(asked).toEqual([{ path: '/bin/cat', arg: ['-n'], 'capture-output': true, 'input-data': base64('text') }]);
  });

  it('makes a code of a signal', async () => {
    const { agent } = await agentWith({
      'guest-exec': () => ({ return: { pid: 1 } }),
      'guest-exec-status': () => ({ return: { exited: true, signal: 9 } }),
    });
    expect(await agent.execute('/bin/x', [], { deadlineMs: 5_000 })).toMatchObject({ code: 137 });
  });

  it.each<[string, Answers]>([
    ['says nothing', { 'guest-exec': () => undefined }],
    [
      'never ends the program',
      { 'guest-exec': () => ({ return: { pid: 1 } }), 'guest-exec-status': () => ({ return: { exited: false } }) },
    ],
    ['gives no process id', { 'guest-exec': () => ({ return: { pid: '1; reboot' } }) }],
    [
      'gives nonsense for a status',
      { 'guest-exec': () => ({ return: { pid: 1 } }), 'guest-exec-status': () => ({ return: [] }) },
    ],
    [
      'gives no exit code',
      {
        'guest-exec': () => ({ return: { pid: 1 } }),
        'guest-exec-status': () => ({ return: { exited: true, exitcode: 'zero' } }),
      },
    ],
    ['refuses', { 'guest-exec': () => ({ error: { class: 'GenericError', desc: 'no' } }) }],
    ['refuses without a word', { 'guest-exec': () => ({ error: null }) }],
    ['sends no JSON', { 'guest-exec': () => Buffer.from('boo\n') }],
    ['floods a line', { 'guest-exec': () => Buffer.alloc(20 << 20, 'x') }],
  ])('fails in time when the agent %s', async (_what, answers) => {
    const { agent } = await agentWith(answers, 300);
    const began = performance.now();
    await expect(agent.execute('/bin/x', [], { deadlineMs: 500 })).rejects.toMatchObject({ fault: 'system' });
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('takes no late answer for the next one', async () => {
    let calls = 0;
    const { peer, agent } = await agentWith(
      {
        'guest-exec': () => (++calls === 1 ? undefined : { return: { pid: 2 } }),
        'guest-exec-status': ({ pid }) => ({ return: { exited: true, exitcode: pid } }),
        'guest-sync-delimited': ({ id }) =>
          Buffer.concat([Buffer.from('{"return": {"pid": 1}}\n'), marked({ return: id })]),
      },
      200,
    );
    await expect(agent.execute('/bin/a', [], { deadlineMs: 300 })).rejects.toThrow('did not answer guest-exec');
    peer.say('{"return": {"pid": 1}}\n');
    expect(await agent.execute('/bin/b', [], { deadlineMs: 2_000 })).toMatchObject({ code: 2 });
  });

  it('fails when the connection closes, and stops when told', async () => {
    const { peer, agent } = await agentWith({ 'guest-sync-delimited': () => undefined });
    const controller = new AbortController();
    const reason = new Error('enough');
    const stopped = expect(agent.waitUntilReady(controller.signal)).rejects.toBe(reason);
    setTimeout(() => controller.abort(reason), 50);
    await stopped;
    const closed = expect(agent.waitUntilReady(forever)).rejects.toMatchObject({ reason: 'guest_peer_failed' });
    setTimeout(() => peer.end(), 50);
    await closed;
  });
});
