import { beforeEach, describe, expect, it } from '@jest/globals';
import { KeyUsage } from './key-usage.js';
import type { KeyUse, McpKeyRepository } from './mcp-key.repository.js';

let written: KeyUse[][];
let write: () => Promise<void>;
let usage: KeyUsage;

beforeEach(() => {
  written = [];
  write = () => Promise.resolve();
  const keys = { noteUses: (uses: KeyUse[]) => (written.push(uses), write()) };
  usage = new KeyUsage(keys as unknown as McpKeyRepository);
});

const use = (id: string, from: string) => expect.objectContaining({ id, from });

describe('KeyUsage', () => {
  it('writes the last use of each key in one go, and nothing where there is none', async () => {
    usage.note('a', '192.0.2.1');
    usage.note('b', '192.0.2.2');
    usage.note('a', '192.0.2.3');
    await usage.write();
    await usage.write();
    expect(written).toEqual([[use('a', '192.0.2.3'), use('b', '192.0.2.2')]]);
  });

  it('tries again what could not be written, unless there is something newer', async () => {
    usage.note('a', '192.0.2.1');
    usage.note('b', '192.0.2.1');
    write = () => {
      usage.note('a', '192.0.2.9');
      return Promise.reject(new Error('no database'));
    };
    await usage.write();
    write = () => Promise.resolve();
    await usage.write();
    expect(written[1]).toEqual([use('a', '192.0.2.9'), use('b', '192.0.2.1')]);
  });

  it('does not begin to write while it writes', async () => {
    let goOn = (): void => undefined;
    write = () => new Promise((resolve) => (goOn = resolve));
    usage.note('a', '192.0.2.1');
    const writing = usage.write();
    usage.note('b', '192.0.2.1');
    await usage.write();
    expect(written).toHaveLength(1);
    goOn();
    await writing;
    write = () => Promise.resolve();
    await usage.write();
    expect(written).toHaveLength(2);
  });

  it('writes what is left when the factory stops, after what is being written', async () => {
    let goOn = (): void => undefined;
    write = () => new Promise((resolve) => (goOn = resolve));
    usage.note('a', '192.0.2.1');
    void usage.write();
    usage.note('b', '192.0.2.1');
    const stopped = usage.beforeApplicationShutdown();
    write = () => Promise.resolve();
    goOn();
    await stopped;
    expect(written).toEqual([[use('a', '192.0.2.1')], [use('b', '192.0.2.1')]]);
  });
});
