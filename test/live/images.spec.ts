import { describe, expect, it } from '@jest/globals';
import { useImage } from '../support/images/use-image.js';

const minutes = 60_000;

describe('the image that live tests share', () => {
  const image = useImage('sink');

  it(
    'is asked in a clone of its own boot, which is up and has what its recipe says',
    async () => {
      await image.inClone(async ({ run, sh }) => {
        expect(await run('systemctl', 'is-system-running')).toBe('running');
        expect(await run('systemctl', 'is-active', 'ssh')).toBe('active');
        expect(await sh('hostname; echo only here > /root/mark')).toBe('kitchen-sink');
      });
    },
    5 * minutes,
  );

  it(
    'gives the next clone nothing of the one before, and makes it a machine of its own where one is asked for',
    async () => {
      await image.inClone(
        async ({ sh }) => {
          expect(await sh('hostname; test -e /root/mark || echo nothing')).toBe('another\nnothing');
        },
        { name: 'another' },
      );
    },
    5 * minutes,
  );
});
