import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { startLogger } from './start-logger.js';

it('passes on what went wrong while modules start, and nothing else', () => {
  const told: unknown[] = [];
  const tell =
    (level: string) =>
    (...said: unknown[]) =>
      void told.push([level, ...said]);
  Logger.overrideLogger(startLogger({ warn: tell('warn'), error: tell('error'), fatal: tell('fatal') }));
  const log = new Logger('Builds');
  log.log('Mapped a route');
  log.debug('a detail');
  log.warn('2 builds wait again');
  log.error({ err: 'x' }, 'It broke');
  expect(told).toEqual([
    ['warn', '2 builds wait again', 'Builds'],
    ['error', { err: 'x' }, 'It broke', 'Builds'],
  ]);
});
