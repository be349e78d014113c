import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { runProgram } from '#libs/platform';
import { namesOf } from '#libs/recipes';
import { everyFieldKey, imageRecipes } from '../support/images/image-recipes.js';
import { collectorsOf } from '../support/images/service-samples.js';
import { useImage } from '../support/images/use-image.js';

const minutes = 60_000;
const until = async (isSo: () => Promise<boolean>) => {
  const endsAt = Date.now() + 5 * minutes;
  while (!(await isSo())) {
    if (Date.now() > endsAt) throw new Error('it did not come');
    await sleep(500);
  }
};

describe('every field of a recipe that takes effect', () => {
  const recipe = imageRecipes.everyField;
  const image = useImage('everyField');

  it(
    'is seen in the running image',
    async () => {
      const squashfs = await image.scratch(async (dir) => {
        const layer = path.join(dir, 'layer.squashfs');
        await runProgram(
          'xorriso',
          ['-osirrox', 'on', '-indev', image.isoPath, '-extract', '/live/0-recipe.squashfs', layer],
          { deadlineMs: minutes },
        );
        return (await runProgram('unsquashfs', ['-s', layer], { deadlineMs: minutes })).stdout;
      });
      await image.inClone(async ({ run }) => {
        expect(await run('systemctl', 'is-system-running', '--wait')).toBe('running');
        const seen = async (...argv: string[]) => await run(...argv).catch((error: Error) => error.message);
        // A stand-in for a wired card: the pattern of the recipe matches it, and nothing of it leaves the guest.
        await run('ip', 'link', 'add', 'enof0', 'type', 'dummy');
        await until(async () => (await run('ip', '-br', 'address', 'show', 'enof0')).includes('192.0.2.10/24'));
        const answers: Record<string, [found: string, expected: string | RegExp]> = {
          name: [await seen('sh', '-c', '. /etc/openfactory-release; echo "$NAME"'), 'every-field'],
          description: [await seen('sh', '-c', '. /etc/openfactory-release; echo "$DESCRIPTION"'), recipe.description],
          packages: [await seen('dpkg-query', '-W', '-f', '${Status}', 'zip'), 'install ok installed'],
          'package_overrides, replace': [
            await seen('sh', '-c', 'command -v nano; command -v vim || echo none'),
            '/usr/bin/nano\nnone',
          ],
          'package_overrides, remove': [await seen('sh', '-c', 'command -v jq || echo none'), 'none'],
          'services, ssh': [
            await seen(
              'sh',
              '-c',
              'sshd -T | grep -E "^(port|maxauthtries|passwordauthentication|permitrootlogin) " | sort',
            ),
            'maxauthtries 3\npasswordauthentication no\npermitrootlogin no\nport 2222',
          ],
          'services, nginx': [
            await seen(
              'bash',
              '-c',
              'nginx -T 2>/dev/null | grep -c "^worker_processes 2;"; exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET / HTTP/1.0\r\nHost: fields.example.test\r\n\r\n" >&3; tail -n1 <&3',
            ),
            '1\na page',
          ],
          'services, nginx with TLS': [
            await seen(
              'sh',
              '-c',
              'openssl s_client -connect 127.0.0.1:443 -servername tls.example.test </dev/null 2>/dev/null | openssl x509 -noout -subject',
            ),
            /tls\.example\.test/,
          ],
          'services, monitoring': [
            await seen(
              'sh',
              '-c',
              'ss -Hltn "sport = 9200" | wc -l; tr "\\0" " " < /proc/$(pidof prometheus-node-exporter)/cmdline',
            ),
            /^1\n.*--collector\.processes/,
          ],
          'services, monitoring, all that may be named': [
            await seen('sh', '-c', collectorsOf),
            [...namesOf(recipe.base_image).collectors].join(' '),
          ],
          'services, ntp': [
            await seen('sh', '-c', 'chronyc -n sources | grep -c 192.0.2.123; chronyc accheck 192.0.2.9'),
            /^1\n208 Access allowed/,
          ],
          'users, id': [await seen('id', 'grace'), /^uid=1234\(grace\) .*4321\(ops\)/],
          'users, home and shell': [await seen('getent', 'passwd', 'grace'), /:\/srv\/grace:\/bin\/sh$/],
          'users, key': [
            await seen(
              'sh',
              '-c',
              'stat -c "%a %U" /srv/grace/.ssh/authorized_keys; cat /srv/grace/.ssh/authorized_keys',
            ),
            `600 grace\n${everyFieldKey}`,
          ],
          groups: [await seen('getent', 'group', 'ops'), 'ops:x:4321:grace'],
          files: [
            await seen('sh', '-c', 'stat -c "%a %U %G" /opt/tool; od -An -tx1 /opt/tool'),
            '750 grace ops\n 00 01 02',
          ],
          'networking, names': [await seen('sh', '-c', 'hostname; hostname -f'), 'fields\nfields.example.test'],
          'networking, addresses and mtu': [await seen('ip', 'link', 'show', 'enof0'), /mtu 1400/],
          'networking, gateway': [await seen('ip', 'route', 'show', 'default'), /via 192\.0\.2\.1 dev enof0/],
          'networking, dns': [await seen('resolvectl', 'status', 'enof0'), /192\.0\.2\.53[\s\S]*corp\.example\.test/],
          'networking, hosts': [await seen('getent', 'hosts', 'db'), /^192\.0\.2\.20\s+db\.example\.test db$/],
          'networking, firewall': [
            await seen('nft', 'list', 'chain', 'inet', 'filter', 'input'),
            /policy drop[\s\S]*ip saddr 198\.51\.100\.0\/24 tcp dport 8443 accept[\s\S]*udp dport 161 drop[\s\S]*tcp dport 2222 accept/,
          ],
          'security, hardening_level': [await seen('sysctl', '-n', 'kernel.yama.ptrace_scope'), '1'],
          'security, audit_logging': [await seen('auditctl', '-l'), /\/etc\/shadow/],
          'security, disable_root': [await seen('passwd', '--status', 'root'), /^root L/],
          'system, timezone': [await seen('date', '-d', '2026-07-01T00:00:00Z', '+%H %Z'), '02 CEST'],
          'system, locale': [
            await seen('sh', '-c', '. /etc/default/locale; LC_ALL=$LANG date -d 2026-10-01 +%B'),
            'Oktober',
          ],
          'system, keyboard': [
            await seen('sh', '-c', 'dumpkeys --keys-only < /dev/tty1 | grep -E "^keycode +21 "'),
            /=.*z/,
          ],
          'system, kernel_args': [await seen('cat', '/proc/cmdline'), / quiet of_test=1$/],
          startup_scripts: [await seen('cat', '/var/log/order'), 'earlier\nlater'],
          'startup_scripts, run_once': [
            await seen('sh', '-c', 'cd /var/lib/openfactory; ls startup-*'),
            'startup-0.done',
          ],
          'output, compression': [squashfs, /compression-level 1\b/],
        };
        const wrong = Object.entries(answers).filter(([, [found, expected]]) =>
          typeof expected === 'string' ? found !== expected : !expected.test(found),
        );
        expect(
          Object.fromEntries(wrong.map(([field, [found, expected]]) => [field, { found, expected: String(expected) }])),
        ).toEqual({});
      });
    },
    10 * minutes,
  );
});
