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
  /** The same for a peer that does not speak JSON: a line without its end, and the bytes to answer. */
  answerLine: (reply: (line: string) => Buffer | undefined) => void;
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
  let reply: (line: string) => Buffer | undefined = () => undefined;
  const say = (bytes: string | Buffer) => void (other.writable && other.write(bytes));
  other.on('error', () => undefined);
  other.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = reply(line);
      if (answer) say(answer);
    }
  });
  const answer: Peer['answer'] = (next) => {
    reply = (line) => {
      const said = next(JSON.parse(line.replaceAll('\u00ff', '')) as Question);
      return said === undefined || Buffer.isBuffer(said) ? said : Buffer.from(`${JSON.stringify(said)}\n`);
    };
  };
  return {
    socket,
    heard: () => heard,
    say,
    answer,
    answerLine: (next) => void (reply = next),
    end: () => void other.destroy(),
  };
}
