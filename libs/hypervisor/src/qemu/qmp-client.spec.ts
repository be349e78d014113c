import { afterEach, describe, expect, it } from '@jest/globals';
import { peerPair, type Peer } from '../testing/socket-peer.js';
import { QmpClient } from './qmp-client.js';

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';
const peers: Peer[] = [];
afterEach(() => peers.splice(0).forEach((peer) => peer.end()));
const connected = async (more = {}) => {
  const peer = await peerPair();
  peers.push(peer);
  peer.say(greeting);
  peer.answer(({ id }) => ({ return: {}, id }));
  return { peer, client: await QmpClient.connect(peer.socket, more) };
};

describe('QmpClient', () => {
  it('greets, then gives each answer to its own question', async () => {
    const { peer, client } = await connected();
    peer.answer(({ id, execute }) => ({ return: execute, id }));
    expect(await Promise.all([client.call('query-a'), client.call('query-b')])).toEqual(['query-a', 'query-b']);
  });

  it('tells events from answers', async () => {
    const seen: string[] = [];
    const { peer, client } = await connected({ onEvent: ({ name }: { name: string }) => seen.push(name) });
    peer.answer(({ id }) => {
      peer.say('{"event": "SHUTDOWN", "data": {"guest": true}, "timestamp": {}}\n');
      return { return: {}, id };
    });
    await client.call('query-status');
    expect(seen).toEqual(['SHUTDOWN']);
  });

  it('passes a refusal on', async () => {
    const { peer, client } = await connected();
    peer.answer(({ id }) => ({ error: { class: 'GenericError', desc: 'no such thing' }, id }));
    await expect(client.call('query-x')).rejects.toThrow('QMP query-x was refused: no such thing');
  });

  it.each([
    ['says nothing', () => undefined],
    ['never ends its line, but slowly', (peer: Peer) => peer.say('{"QMP"')],
  ])('gives up on a server that %s', async (_what, act) => {
    const peer = await peerPair();
    peers.push(peer);
    act(peer);
    await expect(QmpClient.connect(peer.socket, { deadlineMs: 100 })).rejects.toMatchObject({
      reason: 'guest_peer_failed',
    });
  });

  it('gives up on a call that is never answered, or answered under another id', async () => {
    const { peer, client } = await connected();
    peer.answer(() => ({ return: {}, id: 999 }));
    await expect(client.call('query-x', {}, 100)).rejects.toThrow('was not answered within 100 ms');
  });

  it('fails what is pending, and what follows, when the connection closes', async () => {
    const { peer, client } = await connected();
    peer.answer(() => undefined);
    const pending = expect(client.call('query-x')).rejects.toMatchObject({ reason: 'guest_peer_failed' });
    peer.end();
    await pending;
    await expect(client.call('query-y')).rejects.toMatchObject({ reason: 'guest_peer_failed' });
  });

  it.each([['not json\n'], ['[1]\n'], ['null\n'], ['"text"\n']])('cuts off a server that says %j', async (words) => {
    const { peer, client } = await connected();
    peer.answer(() => undefined);
    const pending = expect(client.call('query-x')).rejects.toThrow('sent what it must not');
    peer.say(words);
    await pending;
  });

  it('cuts off a server that floods one line', async () => {
    const { peer, client } = await connected();
    peer.answer(() => undefined);
    const pending = expect(client.call('query-x')).rejects.toThrow('bytes in one line');
    for (let sent = 0; sent < 18; sent++) peer.say('x'.repeat(1 << 20));
    await pending;
  });

  it('is not kept from its deadline by events, and cuts off a server that floods them', async () => {
    const told: Error[] = [];
    const { peer, client } = await connected({ onFlood: (error: Error) => told.push(error) });
    peer.answer(() => undefined);
    const some = setInterval(() => peer.say('{"event": "X", "data": {}}\n'.repeat(20)), 10);
    await expect(client.call('query-x', {}, 200)).rejects.toThrow('was not answered');
    clearInterval(some);
    const pending = expect(client.call('query-x')).rejects.toMatchObject({ reason: 'guest_flooded' });
    for (let time = 0; time < 15; time++) peer.say('{"event": "X", "data": {}}\n'.repeat(2_000));
    await pending;
    expect(told).toEqual([expect.objectContaining({ reason: 'guest_flooded' })]);
  });
});
