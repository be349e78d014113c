import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolResultSchema,
  LoggingMessageNotificationSchema,
  ResultSchema,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js';
import { productRoot } from '#libs/platform';
import { startTestApp, type TestApp } from '../support/app.js';
import { ProbeTools, ProbeToolsModule } from '../support/probe-tools.module.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ extraModules: [ProbeToolsModule] });
});
afterAll(() => app.stop());

const transports: Record<string, () => Transport> = {
  'HTTP+SSE': () => new SSEClientTransport(new URL(`${app.url}/api/mcp/sse`)),
  'Streamable HTTP': () => new StreamableHTTPClientTransport(new URL(`${app.url}/api/mcp`)),
  stdio: () =>
    new StdioClientTransport({
      command: process.execPath,
      args: [path.join(productRoot, 'dist/apps/cli/src/main.js'), 'mcp'],
      env: { OPENFACTORY_URL: app.url, PATH: process.env.PATH ?? '' },
    }),
};

/** The same story, told through every transport by the SDK's own client. */
describe.each(Object.keys(transports))('over %s', (name) => {
  let client: Client;
  const refusal = (work: Promise<unknown>): Promise<{ code: number; message: string; data?: unknown }> =>
    work.then(
      () => Promise.reject(new Error('The call was answered, not refused.')),
      (error: { code: number; message: string; data?: unknown }) => error,
    );

  beforeAll(async () => {
    client = new Client({ name: 'story', version: '1.0.0' });
    await client.connect(transports[name]!());
  });
  afterAll(() => client.close());

  it('introduces itself', () => {
    expect(client.getServerVersion()).toMatchObject({
      name: 'openfactory',
      title: 'OpenFactory',
      description: expect.any(String),
    });
    expect(client.getServerCapabilities()).toMatchObject({
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
    });
    expect(client.getInstructions()).toContain('validate_recipe');
  });

  it('lists its tools on one page', async () => {
    const { tools, nextCursor } = await client.listTools();
    expect(nextCursor).toBeUndefined();
    expect(tools.find((tool) => tool.name === 'probe_echo')).toEqual({
      name: 'probe_echo',
      title: 'Echo',
      description: 'Echoes.',
      inputSchema: expect.objectContaining({ type: 'object', required: ['text'], additionalProperties: false }),
      outputSchema: expect.objectContaining({ type: 'object', required: ['text', 'owner', 'words'] }),
      annotations: {
        title: 'Echo',
        readOnlyHint: true,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
    });
  });

  it('answers a call as text and as the same structure', async () => {
    const { content, structuredContent, isError } = await client.callTool({
      name: 'probe_echo',
      arguments: { text: 'ha', times: 3 },
    });
    expect(isError).toBeFalsy();
    expect(structuredContent).toEqual({ text: 'hahaha', owner: 'address:127.0.0.1', words: [] });
    expect(JSON.parse((content as { text: string }[])[0]!.text)).toEqual(structuredContent);
  });

  it('reads arrays and objects that come as JSON strings', async () => {
    const { structuredContent } = await client.callTool({
      name: 'probe_echo',
      arguments: { text: 'x', words: '["a","b"]', more: '{"c":1}' },
    });
    expect(structuredContent).toMatchObject({ words: ['a', 'b'] });
  });

  it('refuses bad arguments with every path at once, as a result', async () => {
    const result = await client.callTool({ name: 'probe_echo', arguments: { txet: 'x', times: 99, words: [1] } });
    expect(result.isError).toBe(true);
    expect(result.structuredContent).toBeUndefined();
    const [words, machine] = result.content as { text: string }[];
    expect(words!.text).toContain('did you mean "text"');
    const { error } = JSON.parse(machine!.text);
    expect(error).toMatchObject({ code: 1002, reason: 'invalid_arguments', retryable: false });
    expect(error.violations.map(({ path }: { path: string }) => path).sort()).toEqual([
      '/text',
      '/text',
      '/times',
      '/txet',
      '/words',
    ]);
    expect(result._meta).toEqual({ error });
  });

  it('passes on a refusal of a tool', async () => {
    const result = await client.callTool({ name: 'probe_refuse' });
    expect(result).toMatchObject({
      isError: true,
      _meta: {
        error: {
          code: 1002,
          reason: 'wrong_moon',
          message: 'The moon is wrong.',
          hint: 'Wait for a better one.',
          retryable: false,
        },
      },
    });
  });

  it('tells an unknown tool, method and cursor apart', async () => {
    expect(await refusal(client.callTool({ name: 'nope' }))).toMatchObject({
      code: 1001,
      message: expect.stringContaining('Unknown tool: nope'),
    });
    expect(await refusal(client.request({ method: 'no/such' }, ResultSchema))).toMatchObject({ code: -32601 });
    expect(await refusal(client.listTools({ cursor: 'zzz' }))).toMatchObject({ code: -32602 });
  });

  it('keeps the details of its own faults to itself', async () => {
    const error = await refusal(client.callTool({ name: 'probe_break' }));
    expect(error).toMatchObject({
      code: 1002,
      data: { reason: 'internal_error', request_id: expect.stringMatching(/^[\w-]{36}$/) },
    });
    expect(JSON.stringify([error.message, error.data])).not.toContain('secret detail');
    expect(await refusal(client.callTool({ name: 'probe_outage' }))).toMatchObject({
      code: 1002,
      message: expect.stringContaining('The mirror does not answer.'),
      data: { reason: 'mirror_down', retryable: true },
    });
  });

  it('tells missing and wrong params', async () => {
    expect(await refusal(client.request({ method: 'tools/call' }, CallToolResultSchema))).toMatchObject({
      code: -32602,
      message: expect.stringContaining('tools/call needs "name"'),
    });
    expect(
      await refusal(
        client.request(
          { method: 'tools/call', params: { name: 'probe_echo', arguments: ['x'] } },
          CallToolResultSchema,
        ),
      ),
    ).toMatchObject({ code: -32602, message: expect.stringContaining('"arguments" must be an object') });
    expect(
      await refusal(client.request({ method: 'logging/setLevel', params: { level: 'loud' } }, ResultSchema)),
    ).toMatchObject({ code: -32602 });
  });

  it('has empty lists, and its own codes, for what does not exist yet', async () => {
    expect(await client.listResources()).toEqual({ resources: [] });
    expect(await client.listResourceTemplates()).toEqual({ resourceTemplates: [] });
    expect(await client.listPrompts()).toEqual({ prompts: [] });
    expect(await refusal(client.readResource({ uri: 'machines://m-1' }))).toMatchObject({ code: 1003 });
    expect(await refusal(client.subscribeResource({ uri: 'machines://m-1' }))).toMatchObject({ code: 1003 });
    expect(await refusal(client.getPrompt({ name: 'nope' }))).toMatchObject({ code: 1005 });
  });

  it('reports progress to who asked for it', async () => {
    const seen: Progress[] = [];
    await client.callTool({ name: 'probe_wait', arguments: { ms: 20 } }, undefined, {
      onprogress: (progress) => seen.push(progress),
    });
    // The SDK's client drops a notification that arrives in one piece with the answer; gateway-raw.spec.ts sees them all.
    expect(seen[0]).toEqual({ progress: 0, total: 20, message: 'begun' });
  });

  it('logs to the client from the level it set', async () => {
    const seen: unknown[] = [];
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void seen.push(params));
    await client.setLoggingLevel('info');
    await client.callTool({ name: 'probe_wait', arguments: { ms: 1 } });
    expect(seen).toEqual([{ level: 'info', logger: 'openfactory', data: { waiting: 1 } }]);
    await client.setLoggingLevel('error');
    await client.callTool({ name: 'probe_wait', arguments: { ms: 1 } });
    expect(seen).toHaveLength(1);
  });

  it('stops work that the client cancels, and goes on serving it', async () => {
    const before = ProbeTools.aborted;
    const controller = new AbortController();
    const call = client.callTool({ name: 'probe_wait', arguments: { ms: 60_000 } }, undefined, {
      signal: controller.signal,
      onprogress: () => controller.abort('enough'),
    });
    await expect(call).rejects.toThrow('enough');
    for (let tries = 0; ProbeTools.aborted === before && tries < 2_000; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(ProbeTools.aborted).toBe(before + 1);
    expect(await client.ping()).toEqual({});
  });

  it('serves many calls at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 25 }, (_, index) =>
        client.callTool({ name: 'probe_echo', arguments: { text: `t${index}` } }),
      ),
    );
    expect(results.map(({ structuredContent }) => (structuredContent as { text: string }).text)).toEqual(
      Array.from({ length: 25 }, (_, index) => `t${index}`),
    );
  });
});
