import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { checkActions, performActions, takeScreenshot, type ClosedPort, type Guest } from '#libs/hypervisor';
import { useImage, type Clone } from '../support/images/use-image.js';
import { until } from '../support/until.js';

const minutes = 60_000;
/** Its user is ada. */
const image = useImage('sink');
const never = new AbortController().signal;

async function act(guest: Guest, actions: object[]) {
  const { width, height } = await takeScreenshot(guest);
  return await performActions(guest, checkActions(actions, { width, height }), { signal: never });
}

/** Gives the kernel of a guest the keymap that Debian makes for German consoles: KDSKBENT (ioctl_console(2)) of each key, with nothing, shift, AltGr, both. */
async function makeGerman({ guest }: Clone): Promise<void> {
  const { de } = JSON.parse(
    readFileSync(new URL('../../libs/hypervisor/src/testing/keyboards.json', import.meta.url), 'utf8'),
  ) as { de: { console: { keymap: string } } };
  const program =
    'my @v = unpack "v*", pack "H*", join "", <STDIN>; open(my $t, "+<", "/dev/tty1") or die $!; for my $m (0 .. 3) { for my $k (1 .. 127) { ioctl($t, 0x4B47, my $e = pack "C C S", $m, $k, $v[128 * $m + $k]) or die $! } }';
  const { code, stderr } = await guest.execute('/usr/bin/perl', ['-e', program], {
    deadlineMs: 2 * minutes,
    input: Buffer.from(de.console.keymap, 'base64').toString('hex'),
  });
  expect([code, stderr]).toEqual([0, '']);
}

describe('a guest with a German keyboard', () => {
  it(
    'gets what is typed at its console: a password, all of ASCII by keys, and what no key gives by its helper',
    async () => {
      const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
        .filter((character) => character !== "'")
        .join('');
      await image.inClone(async (clone) => {
        await makeGerman(clone);
        const { guest, sh } = clone;
        const typed = await act(guest, [
          { type: 'type', text: 'ada\n' },
          { type: 'wait', duration: 10 },
          { type: 'type', text: 'counts4the-engine\n' },
          { type: 'wait', duration: 20 },
        ]);
        expect(typed).toMatchObject({ performed: 4, layout: 'the keymap of its text console' });
        const lines = [
          'echo "xyz - / @ : ; = |" > one',
          'echo "xyz - / @ : ; = |" > two # ü',
          `echo '${ascii}' > three`,
          'echo äöüß > four',
        ];
        for (const line of lines)
          expect(
            await act(guest, [
              { type: 'type', text: `${line}\n` },
              { type: 'wait', duration: 2 },
            ]),
          ).toMatchObject({ performed: 2, layout: 'the keymap of its text console' });
        expect(await act(guest, [{ type: 'type', text: 'echo 漢 > five; touch six\n' }])).toEqual({
          performed: 1,
          pictures: [],
        });
        await until(
          () => sh('ls /home/ada'),
          (names) => names.includes('six'),
          2 * minutes,
        );
        expect(await sh('cd /home/ada && cat one two three four five')).toBe(
          ['xyz - / @ : ; = |', 'xyz - / @ : ; = |', ascii, 'äöüß', '漢'].join('\n'),
        );
      });
    },
    20 * minutes,
  );
});

describe('a guest whose root floods both of its ports', () => {
  it(
    'loses the ports and nothing else; the process that holds it has its turns',
    async () => {
      await image.inClone(async ({ guest, sh }) => {
        const closed: ClosedPort[] = [];
        guest.onPortClosed((one) => closed.push(one));
        let turns = 0;
        const count = setInterval(() => turns++, 1);
        const ports = '/dev/virtio-ports';
        await sh(
          `systemd-run --collect sh -c 'sleep 2; systemctl stop openfactory-helper qemu-guest-agent; (yes "" > ${ports}/org.openfactory.helper.0) & yes "" > ${ports}/org.qemu.guest_agent.0'`,
        );
        await until(
          () => Promise.resolve(closed.length),
          (many) => many === 2,
          4 * minutes,
        );
        clearInterval(count);
        expect(turns).toBeGreaterThan(10);
        expect(closed.map(({ port }) => port).sort()).toEqual(['agent', 'helper']);
        for (const { why } of closed) expect(why).toContain('that nobody asked for');
        await expect(guest.execute('/bin/true', [], { deadlineMs: 10_000 })).rejects.toMatchObject({
          reason: 'guest_flooded',
        });
        await expect(guest.helper.sync()).rejects.toMatchObject({ reason: 'guest_flooded' });
        expect(await act(guest, [{ type: 'key', key: 'Return' }, { type: 'screenshot' }])).toMatchObject({
          performed: 2,
        });
      });
    },
    20 * minutes,
  );
});
