import { createServer, createConnection, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

type Question = Record<string, unknown>;

export interface Peer {
  /** The client's end. */
  socket: Socket;
  /** Everything the client sent, as text. */
  heard: () => string;
  say: (bytes: string | Buffer) => void;
  /** Replaces how questions are answered; undefined: not at all. */
  answer: (reply: (question: Question) => Question | Buffer | undefined) => void;
  end: () => void;
}

/** A real socket with a scripted other end, which may lie. */
export async function peerPair(): Promise<Peer> {
  const dir = await mkdtemp(path.join(tmpdir(), 'openfactory-peer-'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path.join(dir, 's'), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const socket = createConnection(path.join(dir, 's'));
  const other = await accepted;
  server.close();
  await rm(dir, { recursive: true, force: true });
  let heard = '';
  let rest = '';
  let reply: (question: Question) => Question | Buffer | undefined = () => undefined;
  const say = (bytes: string | Buffer) => void (other.writable && other.write(bytes));
  other.on('error', () => undefined);
  other.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = reply(JSON.parse(line.replaceAll('\u00ff', '')) as Question);
      if (answer) say(Buffer.isBuffer(answer) ? answer : `${JSON.stringify(answer)}\n`);
    }
  });
  return { socket, heard: () => heard, say, answer: (next) => void (reply = next), end: () => void other.destroy() };
}
