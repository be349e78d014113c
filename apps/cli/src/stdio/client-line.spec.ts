import { describe, expect, it } from '@jest/globals';
import { readClientLine } from './client-line.js';

describe('readClientLine', () => {
  it.each<[string, Partial<ReturnType<typeof readClientLine>>]>([
    ['{"jsonrpc":"2.0","id":0,"method":"ping"}', { ids: [0], isUnreadable: false, isInitialize: false }],
    ['{"jsonrpc":"2.0","id":"1","method":"initialize"}', { ids: ['1'], isInitialize: true }],
    [
      '[{"id":1,"method":"a"},{"method":"b"},{"id":"1","method":"c"},{"id":1,"method":"d"}]',
      { ids: [1, '1'], isUnreadable: false, isInitialize: false },
    ],
    ['{"method":"notifications/cancelled","params":{"requestId":7}}', { ids: [], isUnreadable: false, cancels: 7 }],
    ['{"jsonrpc":"2.0","id":5,"result":{}}', { ids: [], isUnreadable: false }],
    ['{"id":null,"method":"ping"}', { ids: [], isUnreadable: true }],
    ['{', { ids: [], isUnreadable: true }],
    ['null', { ids: [], isUnreadable: true }],
    ['[]', { ids: [], isUnreadable: true }],
  ])('knows who waits for an answer to %s', (text, expected) => expect(readClientLine(text)).toMatchObject(expected));
});
