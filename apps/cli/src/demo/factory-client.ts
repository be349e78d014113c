import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { AppError, errorMessage, productVersion, type ClientSettings } from '#libs/platform';

const callWithinMs = 60_000;
const cancelWithinMs = 10_000;

interface Refusal {
  reason: string;
  message: string;
  hint?: string;
}

/** A factory as any MCP client sees it: an SSE session and its tools. */
export class FactoryClient {
  private constructor(
    private readonly mcp: Client,
    private readonly settings: ClientSettings,
  ) {}

  static async connect(settings: ClientSettings, signal: AbortSignal): Promise<FactoryClient> {
    const mcp = new Client({ name: 'openfactory-demo', version: productVersion });
    let failure: unknown;
    // What the transport throws has lost why the connection failed.
    const fetchNoting = (url: string | URL, init?: RequestInit) =>
      fetch(url, init).catch((error: unknown) => Promise.reject((failure = error) as Error));
    const transport = new SSEClientTransport(new URL(`${baseOf(settings)}/api/mcp/sse`), {
      fetch: fetchNoting,
      requestInit: { headers: credentials(settings) },
    });
    try {
      // A transport that is still connecting takes no notice of a signal.
      await Promise.race([mcp.connect(transport, { signal, timeout: callWithinMs }), aborted(signal)]);
    } catch (error) {
      await transport.close();
      signal.throwIfAborted();
      throw unreachable(settings, failure ?? error);
    }
    return new FactoryClient(mcp, settings);
  }

  /** @throws AppError with the words of the factory where it refuses */
  async call<T>(tool: string, args: Record<string, unknown>, signal?: AbortSignal): Promise<T> {
    let result: Awaited<ReturnType<Client['callTool']>>;
    try {
      result = await this.mcp.callTool({ name: tool, arguments: args }, undefined, {
        timeout: callWithinMs,
        ...(signal && { signal }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(this.settings, error);
    }
    if (!result.isError) return result.structuredContent as T;
    const refusal = result._meta?.error as Refusal | undefined;
    // The text is the refusal in full: message, every violation, hint.
    const [text] = result.content as { text?: string }[];
    throw new AppError({
      kind: 'invalid',
      reason: refusal?.reason ?? 'refused',
      message: text?.text ?? refusal?.message ?? `The factory refused ${tool}.`,
    });
  }

  /** There is no tool for it. */
  async cancelBuild(id: string): Promise<void> {
    const answer = await fetch(`${baseOf(this.settings)}/api/builds/${encodeURIComponent(id)}/cancel`, {
      method: 'POST',
      headers: credentials(this.settings),
      signal: AbortSignal.timeout(cancelWithinMs),
    });
    await answer.body?.cancel();
    // 409: it has ended by itself.
    if (!answer.ok && answer.status !== 409)
      throw new AppError({
        kind: 'unavailable',
        reason: 'not_cancelled',
        message: `The build ${id} could not be cancelled: the factory answered ${answer.status}.`,
      });
  }

  /** What the log of a build says last; there is no tool for it. Empty where it cannot be had: it only tells why one waits. */
  async lastLogLine(id: string, signal: AbortSignal): Promise<string> {
    try {
      const answer = await fetch(`${baseOf(this.settings)}/api/builds/${encodeURIComponent(id)}/log`, {
        headers: credentials(this.settings),
        signal,
      });
      const lines = answer.ok ? (await answer.text()).trim().split('\n') : [];
      return (lines.at(-1) ?? '').slice(0, 160);
    } catch {
      return '';
    }
  }

  async close(): Promise<void> {
    await this.mcp.close();
  }
}

const baseOf = ({ url }: ClientSettings): string => url.href.replace(/\/$/, '');
const credentials = ({ apiKey }: ClientSettings): Record<string, string> =>
  apiKey ? { authorization: `Bearer ${apiKey}` } : {};

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function unreachable(settings: ClientSettings, error: unknown): AppError {
  const status = (error as { code?: unknown }).code;
  const [why, hint] =
    status === 401 || status === 403
      ? ['it does not know this caller', 'Set OPENFACTORY_API_KEY to a key of that factory.']
      : [whyOf(error), 'Start it with "npm run up", or set OPENFACTORY_URL.'];
  return new AppError({
    kind: 'unavailable',
    reason: 'factory_unreachable',
    message: `The factory at ${baseOf(settings)} cannot be used: ${why}.`,
    hint,
    cause: error,
  });
}

/** fetch() says only that it failed; its cause knows more. */
function whyOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? errorMessage(error).replace(/^SSE error: /, '');
}
