import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { putBefore } from './front.js';

describe('putBefore', () => {
  it('leaves to the listener behind only what the one before does not take', () => {
    const server = new EventEmitter();
    const before: string[] = [];
    const behind: string[] = [];
    server.on('request', ({ url }: IncomingMessage) => behind.push(url ?? ''));
    putBefore(server as Server, ({ url }) => {
      before.push(url ?? '');
      return url === '/api/mcp';
    });
    for (const url of ['/api/mcp', '/api/builds']) server.emit('request', { url }, {});
    expect({ before, behind }).toEqual({ before: ['/api/mcp', '/api/builds'], behind: ['/api/builds'] });
  });
});
