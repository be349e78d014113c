import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

/** As the console's page connects: a subprotocol, and the token as another. */
export function openConsole(factoryUrl: string, token: string, options: ClientOptions = {}): WebSocket {
  return new WebSocket(
    `${factoryUrl.replace('http', 'ws')}/api/vms/console`,
    ['openfactory-console.v1', `token.${token}`],
    { origin: factoryUrl, ...options },
  );
}

/** What a client says first (RFC 6143, 7.1): its version, no authentication, not shared. */
export const handshake = Buffer.from('RFB 003.008\n\x01\x00', 'latin1');

/** Of a console whose guest says everything again: until its screen has answered. */
export async function shakeHands(socket: WebSocket): Promise<void> {
  await once(socket, 'open');
  const answered = received(socket, handshake.length);
  socket.send(handshake);
  await answered;
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
  for (let sum = 0; sum < length;) {
    const [data] = (await once(socket, 'message')) as [Buffer];
    sum += chunks[chunks.push(data) - 1]?.length ?? 0;
  }
  return Buffer.concat(chunks);
}
