import type { TextRule } from '../schema/text-rules.js';

export const unitName: TextRule = {
  code: 'unitName',
  must: 'be a systemd unit such as "ssh.service"',
  test: (text) => /^[A-Za-z0-9@:._-]{1,200}\.(service|socket|timer|target|path|mount)$/.test(text),
  schema: { pattern: '\\.(service|socket|timer|target|path|mount)$' },
};
