import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

/** As the console's page connects: a subprotocol, and the token as another. */
export function openConsole(factoryUrl: string, token: string, options: ClientOptions = {}): WebSocket {
  return new WebSocket(`${factoryUrl.replace('http', 'ws')}/api/vms/console`, ['openfactory-console.v1', `token.${token}`], { origin: factoryUrl, ...options });
}

export async function consoleEnding(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}

export function tokenOfUrl(url: string): string {
  return new URLSearchParams(new URL(url).hash.slice(1)).get('token') ?? '';
}

/** Everything that comes, until there is so much. */
export async function received(socket: WebSocket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let sum = 0; sum < length; ) {
    const [data] = (await once(socket, 'message')) as [Buffer];
    sum += chunks[chunks.push(data) - 1]?.length ?? 0;
  }
  return Buffer.concat(chunks);
}
