import { describe, expect, it } from '@jest/globals';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { anonymousCaller } from '#libs/platform';
import type { CallContext } from '../catalogue/call-context.js';
import type { ToolView } from '../catalogue/tool-catalogue.js';
import { RpcError, serialise, type RpcMessage } from '../dispatch/json-rpc.js';
import type { Dispatcher, Dispatching } from '../dispatch/dispatcher.js';
import { GatewayOptions } from '../gateway-options.js';
import { SessionTransport } from '../transports/session-transport.js';
import { McpSession } from './mcp-session.js';

const caller = anonymousCaller('192.0.2.1');

class FakeTransport extends SessionTransport {
  readonly name = 'sse';
  protected readonly fallbackVersion = undefined;
  readonly sent: object[] = [];
  readonly connected = true;
  override sessionId = 'session';
  send(message: JSONRPCMessage): Promise<void> {
    this.settle(message);
    this.sent.push(JSON.parse(serialise(message) as string) as object);
    return Promise.resolve();
  }
  post(message: object): void {
    this.receive({ jsonrpc: '2.0', ...message } as RpcMessage, { authenticated: { caller, refusal: undefined } });
  }
  protected closeStreams(): void {
    return undefined;
  }
}

/** A session whose every request is answered by `work`. */
async function open(
  work: (context: CallContext, method: string) => unknown,
): Promise<{ transport: FakeTransport; session: McpSession }> {
  const transport = new FakeTransport();
  const dispatcher = {
    dispatch: async ({ context }: Dispatching, method: string) => await work(context, method),
  } as unknown as Dispatcher;
  const options = new GatewayOptions({
    serverInfo: { name: 'spec', title: 'Spec', version: '1', description: '' },
    instructions: '',
    toolsets: [],
  });
  const session = new McpSession({ caller, view: {} as ToolView, transport, dispatcher, options });
  await session.start();
  return { transport, session };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('McpSession', () => {
  it('answers a request by its id, also with an error', async () => {
    const { transport, session } = await open((_, method) => {
      if (method === 'b') throw new RpcError(1003, 'not there', { reason: 'gone' });
      return { method };
    });
    transport.post({ id: 0, method: 'a' });
    transport.post({ id: 'two', method: 'b' });
    expect(session.busy).toBe(true);
    await turn();
    expect(transport.sent).toHaveLength(2);
    expect(new Set(transport.sent)).toEqual(
      new Set([
        { jsonrpc: '2.0', id: 0, result: { method: 'a' } },
        { jsonrpc: '2.0', id: 'two', error: { code: 1003, message: 'not there', data: { reason: 'gone' } } },
      ]),
    );
    expect(session.busy).toBe(false);
  });

  it('answers with an internal error what cannot be written as JSON', async () => {
    const { transport } = await open(() => ({ big: 1n }));
    transport.post({ id: 1, method: 'a' });
    await turn();
    expect(transport.sent).toMatchObject([{ id: 1, error: { code: -32603 } }]);
  });

  it.each(['a cancelled request', 'a request of a closed session'])(
    'says nothing more of %s, and its handler is told',
    async (what) => {
      const contexts: CallContext[] = [];
      let end = () => undefined as void;
      const { transport, session } = await open(async (context) => {
        contexts.push(context);
        await new Promise<void>((resolve) => (end = resolve));
        await context.log('info', 'too late');
        return {};
      });
      transport.post({ id: 0, method: 'a' });
      if (what.includes('cancelled'))
        transport.post({ method: 'notifications/cancelled', params: { requestId: 0, reason: 'enough' } });
      else await session.close();
      await turn();
      // Made only now, by who asks for it.
      expect(contexts[0]?.signal.aborted).toBe(true);
      end();
      await turn();
      expect([transport.sent, session.busy]).toEqual([[], false]);
    },
  );

  it('sends progress to who asked for it', async () => {
    const { transport } = await open(async (context) => {
      await context.progress(1, 2, 'half');
      return {};
    });
    transport.post({ id: 1, method: 'a' });
    transport.post({ id: 2, method: 'a', params: { _meta: { progressToken: 'p' } } });
    await turn();
    expect(transport.sent).toHaveLength(3);
    expect(transport.sent).toContainEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1, total: 2, message: 'half' },
    });
  });

  it('leaves to the protocol server what it answers', async () => {
    const { transport } = await open(() => Promise.reject(new Error('must not be asked')));
    transport.post({ id: 1, method: 'ping' });
    transport.post({ id: 2, method: 'initialize', params: { protocolVersion: '2025-11-25' } });
    await turn();
    expect(transport.sent).toMatchObject([
      { id: 1, result: {} },
      { id: 2, result: { protocolVersion: '2025-11-25', serverInfo: { name: 'spec' } } },
    ]);
  });
});
