import { afterEach, describe, expect, it } from '@jest/globals';
import { peerPair, type Peer } from '../testing/socket-peer.js';
import { GuestHelperClient } from './guest-helper-client.js';

const base64 = (value: string | Buffer) => Buffer.from(value).toString('base64') || '=';
const bootId = 'a0b1c2d3-0000-4000-8000-00000000abcd';
const greeting = ['2', bootId, 'running'];
const random = Buffer.alloc(32, 7);
const machineId = '0123456789abcdef0123456789abcdef';
const duties = { entropy: Buffer.alloc(32, 1), hostname: 'clone-1', mac: '52:54:00:00:00:01', linkUp: false };
const forever = new AbortController().signal;
const peers: Peer[] = [];
afterEach(() => peers.splice(0).forEach((peer) => peer.end()));

type Values = (string | Buffer)[];
/** Answers each verb with values, with a line of its own making, or not at all. */
type Answers = Record<string, (values: Buffer[], id: string) => Values | string | undefined>;
async function helperWith(answers: Answers, callDeadlineMs = 2_000) {
  const peer = await peerPair();
  peers.push(peer);
  const all: Answers = { hello: () => greeting, clock: () => [], ...answers };
  peer.answerLine((line) => {
    const [id = '', verb = '', ...values] = line.split(' ');
    const answer = all[verb]?.(
      values.map((value) => Buffer.from(value, 'base64')),
      id,
    );
    if (answer === undefined) return undefined;
    return Buffer.from(typeof answer === 'string' ? answer : `${[id, 'ok', ...answer.map(base64)].join(' ')}\n`);
  });
  return { peer, helper: new GuestHelperClient(peer.socket, callDeadlineMs) };
}

describe('GuestHelperClient', () => {
  it('greets, behind a line that somebody else left half', async () => {
    const { peer, helper } = await helperWith({});
    expect(await helper.waitUntilReady(forever)).toEqual({ version: '2', bootId, systemState: 'running' });
    expect(peer.heard()).toMatch(/^\n\d+ hello\n$/);
  });

  it('asks again until a helper is there, and does not mind nonsense before', async () => {
    let asked = 0;
    const { helper } = await helperWith({
      hello: (_values, id) =>
        ++asked === 1
          ? undefined
          : asked === 2
            ? 'what?\n9 ok\n'
            : asked === 3
              ? ['1', ...greeting.slice(1)]
              : asked === 4
                ? `${id} error =\n`
                : asked === 5
                  ? ['2', 'no boot id']
                  : greeting,
    });
    await helper.waitUntilReady(forever, 500);
    expect(asked).toBe(6);
  });

  it('takes the answer of a helper that needs longer for it than the pause between questions', async () => {
    const asked: string[] = [];
    const { helper } = await helperWith({
      hello: (_values, id) =>
        asked.push(id) === 3 ? `${[asked[0], 'ok', ...greeting.map(base64)].join(' ')}\n` : undefined,
    });
    expect(await helper.waitUntilReady(forever, 500)).toMatchObject({ systemState: 'running' });
    expect(asked).toHaveLength(3);
  });

  it('hands over the duties of a clone, and what came of them', async () => {
    const heard: Buffer[][] = [];
    const { helper } = await helperWith({
      restore: (values) => (heard.push(values), [machineId, random, 'random=0.5 clock=0.1 ssh_keys=210']),
    });
    expect(await helper.restore(duties, 2_000)).toEqual({
      machineId,
      random,
      milliseconds: { random: 0.5, clock: 0.1, ssh_keys: 210 },
    });
    expect(heard[0]?.map(String)).toEqual([String(duties.entropy), 'clone-1', '52:54:00:00:00:01', '']);
    await helper.restore({ ...duties, mac: undefined, linkUp: true }, 2_000);
    expect(heard[1]?.slice(2).map(String)).toEqual(['', '1']);
  });

  it('sets the clock of a clone, once more where the answer was long on its way', async () => {
    const times: number[] = [];
    const { peer, helper } = await helperWith({
      restore: () => [machineId, random, 'random=1'],
      clock: ([time], id) => {
        times.push(Number(time) * 1_000 - Date.now());
        if (times.length > 1) return [];
        setTimeout(() => peer.say(`${id} ok\n`), 700);
        return undefined;
      },
    });
    await helper.restore(duties, 20_000);
    expect(times.length).toBeGreaterThan(1);
    for (const difference of times) expect(Math.abs(difference)).toBeLessThan(15_000);
  });

  it('types text of any script, but no more than a terminal takes', async () => {
    const typed: string[] = [];
    const { helper } = await helperWith({ type: ([text]) => (typed.push(String(text)), []), sync: () => [] });
    await helper.type('h€llo 漢\n');
    await helper.type('');
    await helper.sync();
    expect(typed).toEqual(['h€llo 漢\n']);
    await expect(helper.type('漢'.repeat(1_366))).rejects.toMatchObject({ reason: 'guest_helper_failed' });
    expect(typed).toHaveLength(1);
  });

  it.each<[string, (id: string) => Values | string, object]>([
    [
      'a text console',
      () => ['console', Buffer.of(1, 0), Buffer.from('map'), Buffer.from('accents')],
      { screen: 'console', isCapsLocked: true, keymap: Buffer.from('map'), accents: Buffer.from('accents') },
    ],
    [
      'a desktop',
      () => ['x11', Buffer.of(8, 7), Buffer.from('keysyms')],
      { screen: 'x11', firstKeycode: 8, keysymsPerKeycode: 7, keysyms: Buffer.from('keysyms') },
    ],
    ['nothing that is known', () => ['unknown'], { screen: 'unknown' }],
    ['nothing', () => [], { screen: 'unknown' }],
    ['that it is older than the question', (id) => `${id} error ${base64('no such verb')}\n`, { screen: 'unknown' }],
  ])('says that the keyboard is that of %s', async (_what, answer, expected) => {
    const { helper } = await helperWith({ keyboard: (_values, id) => answer(id) });
    expect(await helper.keyboard()).toEqual(expected);
  });

  it('passes a refusal on', async () => {
    const { helper } = await helperWith({ type: (_values, id) => `${id} error ${base64('graphical')}\n` });
    await expect(helper.type('x')).rejects.toMatchObject({
      reason: 'guest_helper_failed',
      message: expect.stringContaining('graphical'),
    });
  });

  it.each<[string, (id: string) => Values | string | undefined]>([
    ['says nothing', () => undefined],
    ['answers another', (id) => `${Number(id) + 1} ok ${base64(machineId)}\n`],
    ['sends no line of ours', () => '{"return": {}}\n'],
    ['sends half an answer', (id) => `${id} ok`],
    ['gives no machine id', () => ['../../etc', random, 'clock=1']],
    ['gives too little randomness', () => [machineId, random.subarray(1), 'clock=1']],
    ['gives no times', () => [machineId, random, '__proto__=1e999']],
    ['gives times without end', () => [machineId, random, 'clock=1 '.repeat(400).trim()]],
    ['gives nothing', () => []],
    ['sends text for base64', (id) => `${id} ok *** ***\n`],
    ['floods a line', () => 'x'.repeat(1 << 20)],
  ])('fails in time when the helper %s', async (_what, answer) => {
    const { helper } = await helperWith({ restore: (_values, id) => answer(id) });
    await expect(helper.restore(duties, 300)).rejects.toMatchObject({
      fault: 'system',
      reason: expect.stringMatching(/^guest_((helper|peer)_failed|flooded)$/),
    });
  });

  it('takes no late answer for the next one', async () => {
    const late: string[] = [];
    const { peer, helper } = await helperWith({
      restore: (_values, id) => (late.push(id) === 1 ? undefined : [machineId, random, 'clock=2']),
    });
    await expect(helper.restore(duties, 100)).rejects.toThrow('did not answer restore within 100 ms');
    peer.say(`${late[0]} ok ${base64('f'.repeat(32))} ${base64(random)} ${base64('clock=1')}\n`);
    expect(await helper.restore(duties, 2_000)).toMatchObject({ machineId, milliseconds: { clock: 2 } });
  });

  it('fails when the connection closes, and stops when told', async () => {
    const { peer, helper } = await helperWith({ hello: () => undefined, restore: () => undefined });
    const controller = new AbortController();
    const reason = new Error('enough');
    const stopped = expect(helper.waitUntilReady(controller.signal)).rejects.toBe(reason);
    setTimeout(() => controller.abort(reason), 50);
    await stopped;
    const closed = [helper.waitUntilReady(forever), helper.restore(duties, 20_000)].map((call) =>
      expect(call).rejects.toMatchObject({ reason: 'guest_peer_failed' }),
    );
    setTimeout(() => peer.end(), 50);
    await Promise.all(closed);
    await expect(helper.type('x')).rejects.toMatchObject({ reason: 'guest_peer_failed' });
  });
});
