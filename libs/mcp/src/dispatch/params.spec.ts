import { describe, expect, it } from '@jest/globals';
import { payloadBytes, readMessage, serialise, SerialisedResult, type RpcRequest } from './json-rpc.js';
import { normalizeNotification, normalizeRequest } from './params.js';

const normalize = (method: string, params?: unknown, fallback?: string) =>
  normalizeRequest({ jsonrpc: '2.0', id: 1, method, ...(params !== undefined && { params }) } as RpcRequest, fallback)
    .params;

describe('normalizeRequest', () => {
  it('fills in what initialize may leave out', () => {
    expect(normalize('initialize', { protocolVersion: '2024-11-05' })).toEqual({
      protocolVersion: '2024-11-05',
      capabilities: {},
      clientInfo: { name: 'unknown', version: '0' },
    });
    expect(normalize('initialize', { protocolVersion: '2024-11-05', clientInfo: { name: 'c' } })?.clientInfo).toEqual({
      name: 'c',
      version: '0',
    });
  });

  it('offers the transport’s revision for an unknown one, if it has one', () => {
    expect(normalize('initialize', { protocolVersion: '1.0' }, '2024-11-05')?.protocolVersion).toBe('2024-11-05');
    expect(normalize('initialize', { protocolVersion: '1.0' })?.protocolVersion).toBe('1.0');
  });

  it('keeps of initialize what is known, at a bounded length', () => {
    const much = 'x'.repeat(3 * 1024 * 1024);
    const kept = normalize('initialize', {
      protocolVersion: `2099-${much}`,
      capabilities: {
        roots: { listChanged: true, other: much },
        sampling: { tools: { deep: much } },
        elicitation: {},
        experimental: { x: { much } },
        unknown: { much },
        [much]: {},
      },
      clientInfo: {
        name: much,
        version: much,
        title: much,
        websiteUrl: `https://example.org/${much}`,
        icons: [{ src: much }],
        other: much,
      },
      other: much,
    });
    expect(kept).toMatchObject({
      capabilities: { roots: { listChanged: true }, sampling: { tools: {} }, elicitation: {} },
      clientInfo: { name: expect.stringMatching(/^x{200}…$/) },
    });
    expect(Object.keys(kept!).sort()).toEqual(['capabilities', 'clientInfo', 'protocolVersion']);
    expect(JSON.stringify(kept).length).toBeLessThan(2_000);
  });

  it('turns prompt arguments into strings', () => {
    expect(normalize('prompts/get', { name: 'p', arguments: { count: 3, yes: true, text: 'x' } })?.arguments).toEqual({
      count: '3',
      yes: 'true',
      text: 'x',
    });
    expect(() => normalize('prompts/get', { name: 'p', arguments: { nested: {} } })).toThrow('must be a string');
  });

  it('treats missing tool arguments as none, and drops what only tasks need', () => {
    expect(normalize('tools/call', { name: 't', arguments: null, task: { ttl: 1 } })).toEqual({
      name: 't',
      arguments: {},
    });
  });

  it('takes null for what is optional as left out, at every level', () => {
    expect(normalize('ping', null)).toEqual({});
    expect(normalize('tools/list', { cursor: null, _meta: null })).toEqual({});
    expect(
      normalize('tools/call', { name: 't', arguments: null, _meta: { progressToken: null, 'com.example/a': null } }),
    ).toEqual({ name: 't', arguments: {}, _meta: {} });
    expect(normalize('prompts/get', { name: 'p', arguments: { count: null } })?.arguments).toEqual({});
    expect(
      normalize('initialize', {
        protocolVersion: '2025-11-25',
        capabilities: { roots: null, elicitation: { url: null } },
        clientInfo: { name: 'c', version: null, title: null },
      }),
    ).toEqual({
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: 'c', version: '0' },
    });
    expect(
      normalize('completion/complete', {
        ref: { type: 'ref/prompt', name: 'p', title: null },
        argument: { name: 'a', value: '' },
        context: null,
      }),
    ).toEqual({ ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: '' } });
    expect(
      normalizeNotification({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: 1, reason: null },
      }),
    ).toEqual({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    expect(
      normalizeNotification({ jsonrpc: '2.0', method: 'notifications/initialized', params: null } as never),
    ).toEqual({ jsonrpc: '2.0', method: 'notifications/initialized' });
  });

  it('leaves null in the arguments of a tool, where a merge patch means to remove', () => {
    expect(
      normalize('tools/call', { name: 't', arguments: { modifications: { description: null } } })?.arguments,
    ).toEqual({ modifications: { description: null } });
  });

  it.each([
    ['initialize', {}],
    ['initialize', { protocolVersion: '2024-11-05', capabilities: 5 }],
    ['tools/call', { name: '' }],
    ['tools/call', { name: 't', arguments: 'text' }],
    ['resources/read', { uri: 5 }],
    ['tools/list', { _meta: 5 }],
    ['tools/list', { _meta: { progressToken: {} } }],
    ['tools/list', []],
    ['tools/list', 'x'],
  ])('refuses %s %j with -32602', (method, params) => {
    expect(() => normalize(method, params)).toThrow(expect.objectContaining({ code: -32602 }));
  });
});

describe('envelopes', () => {
  it('tells the two codes apart', () => {
    expect(() => readMessage('{')).toThrow(expect.objectContaining({ code: -32700 }));
    expect(() => readMessage('[]')).toThrow(expect.objectContaining({ code: -32600 }));
    expect(readMessage('{"jsonrpc":"2.0","method":"x"}')).toEqual({ jsonrpc: '2.0', method: 'x' });
  });

  it('have a null beside an answer now and then', () => {
    expect(readMessage('{"jsonrpc":"2.0","id":1,"result":{},"error":null}')).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {},
    });
  });

  it('puts a serialised result into the answer as it is', () => {
    const result = new SerialisedResult({ tools: [{ name: 'a' }] });
    expect(JSON.parse([serialise({ jsonrpc: '2.0', id: 'q"', result })].flat().join(''))).toEqual({
      jsonrpc: '2.0',
      id: 'q"',
      result: { tools: [{ name: 'a' }] },
    });
    expect(JSON.parse(JSON.stringify({ result }))).toEqual({ result: { tools: [{ name: 'a' }] } });
  });

  it('writes it once, whatever number of answers it is put into', () => {
    let times = 0;
    const list = { toJSON: () => ({ times: ++times }) };
    const result = new SerialisedResult(list);
    const answers = Array.from({ length: 100 }, (_, id) => serialise({ jsonrpc: '2.0', id, result }));
    expect(times).toBe(1);
    expect(new Set(answers.map((answer) => answer[1]))).toEqual(new Set([result.bytes]));
    expect(payloadBytes(answers[7]!)).toBe('{"jsonrpc":"2.0","id":7,"result":{"times":1}}'.length);
  });
});
