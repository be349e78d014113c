import { describe, expect, it } from '@jest/globals';
import { useImage, type Clone } from '../support/images/use-image.js';

const minutes = 60_000;

/** Of what a machine has and its image does not, what may be the same in two clones. All else is a secret until somebody says why it is none. */
const mayBeEqual: [RegExp, string][] = [
  [/^\/etc\/fstab$/, 'written by live-boot at each start, from the same image'],
  [/^\/var\/log\//, 'what happened until the two parted'],
  [/^\/var\/lib\/openfactory\/made$/, 'names of the secrets that were made'],
];
/** Locks and stamps. */
const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** From there on in the machine's own layer. */
const ownLayer = [
  'of() { sed -n "s/^[^ ]* \\/ overlay .*$1=\\([^, ]*\\).*/\\1/p" /proc/mounts | tail -n 1; }',
  'upper=$(of upperdir); lowers=$(of lowerdir | tr : " ")',
  '[ -n "$upper" ] && cd "$upper" || exit 1',
].join('\n');
/** Every file of it with its sum and, where the image has a file of that name, that one's. */
const listing = [
  ownLayer,
  'find . -xdev -type f ! -path "./tmp/*" ! -path "./run/*" -exec sha256sum {} + | while read -r sum file; do',
  '  below=none; for lower in $lowers; do if [ -f "$lower/$file" ]; then below=$(sha256sum < "$lower/$file"); break; fi; done',
  '  echo "$sum ${below%% *} ${file#.}"',
  'done',
].join('\n');

async function ownFiles({ sh }: Clone): Promise<Map<string, string>> {
  const files = (await sh(listing)).split('\n').map((line) => /^(\w+) (\w+) (.*)$/.exec(line) ?? []);
  return new Map(
    files.filter(([, sum, below]) => sum !== below && sum !== nothing).map(([, sum = '', , file = '']) => [file, sum]),
  );
}

const secretsOf = async ({ run }: Clone) => await Promise.all(secrets.map((file) => run('sha256sum', file)));
const secrets = [
  '/etc/app-secret',
  '/etc/start-secret',
  '/etc/ssl/openfactory/nginx-0.key',
  '/etc/ssl/private/ssl-cert-snakeoil.key',
  '/etc/nvme/hostid',
  '/var/lib/snmp/snmpd.conf',
  '/etc/machine-id',
  '/etc/ssh/ssh_host_ed25519_key',
];

describe('two clones of one build', () => {
  const image = useImage('sink');

  it(
    'have nothing in common that their image does not have, and serve with keys of their own',
    async () => {
      const look = async (name: string) =>
        await image.inClone(
          async (clone) => {
            expect(await clone.run('systemctl', 'is-system-running')).toBe('running');
            expect(await clone.run('systemctl', 'is-active', 'nginx', 'ssh', 'snmpd')).toBe('active\nactive\nactive');
            const served = await clone.sh(
              'openssl s_client -connect 127.0.0.1:443 < /dev/null 2> /dev/null | openssl x509 -noout -fingerprint',
            );
            expect(served).toBe(
              await clone.run('openssl', 'x509', '-noout', '-fingerprint', '-in', '/etc/ssl/openfactory/nginx-0.crt'),
            );
            return { files: await ownFiles(clone), secrets: await secretsOf(clone), served };
          },
          { name },
        );
      const [one, two] = [await look('one'), await look('two')];
      expect(one.served).not.toBe(two.served);
      for (const [index, file] of secrets.entries())
        expect([file, one.secrets[index]]).not.toEqual([file, two.secrets[index]]);
      const equal = [...one.files].filter(([file, sum]) => two.files.get(file) === sum).map(([file]) => file);
      expect(equal.filter((file) => !mayBeEqual.some(([allowed]) => allowed.test(file)))).toEqual([]);
      // That it looked at all.
      for (const file of secrets) expect([...one.files.keys()]).toContain(file);
    },
    10 * minutes,
  );

  it(
    'have in their own layer what they will write, before they do: becoming a machine of its own waits for no disk',
    async () => {
      const raised = ['etc/machine-id', 'etc/hostname', 'etc/hosts', 'var/lib/systemd/random-seed'];
      const found = await image.inClone(
        async ({ sh }) => await sh(`${ownLayer}\nfind ${raised.join(' ')} -type f || true`),
      );
      expect(found.split('\n')).toEqual(raised);
    },
    5 * minutes,
  );

  it(
    'find no key in their image that was made while it was built',
    async () => {
      const found = await image.inClone(
        async ({ sh }) =>
          await sh(
            String.raw`for squashfs in /run/live/rootfs/*; do grep -rlsI -e '-----BEGIN [A-Z ]*PRIVATE KEY-----' "$squashfs/etc" "$squashfs/var/lib" "$squashfs/root" "$squashfs/srv" "$squashfs/opt" || true; done`,
          ),
      );
      expect(found).toBe('');
    },
    5 * minutes,
  );
});
