import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { namesOf } from '#libs/recipes';
import { collectorsOf, servicePassword } from '../support/images/service-samples.js';
import { useImage, type Clone } from '../support/images/use-image.js';

const minutes = 60_000;

const postgresql = async ({ sh, run }: Clone) => {
  expect(await run('systemctl', 'is-active', 'of-postgresql-databases.service')).toBe('active');
  const asShop = (sql: string) =>
    sh(`PGPASSWORD='${servicePassword}' psql -h 127.0.0.1 -p 5433 -U shop -At shop -c "${sql}"`);
  expect(await asShop('show max_connections')).toBe('37');
  expect(await asShop('show shared_buffers')).toBe('24MB');
  expect(await asShop('show listen_addresses')).toBe('0.0.0.0');
  const owners =
    "select datname || ' ' || pg_get_userbyid(datdba) from pg_database where not datistemplate and datname <> 'postgres' order by 1";
  expect((await asShop(owners)).split('\n')).toEqual(['order ada', 'shop shop']);
  expect(
    await run(
      'runuser',
      '-u',
      'ada',
      '--',
      'psql',
      '-p',
      '5433',
      '-At',
      'order',
      '-c',
      'create table t (); select current_user',
    ),
  ).toContain('ada');
  expect(
    await run(
      'runuser',
      '-u',
      'postgres',
      '--',
      'psql',
      '-p',
      '5433',
      '-At',
      '-c',
      "select address || ' ' || auth_method from pg_hba_file_rules where address = '192.0.2.0'",
    ),
  ).toBe('192.0.2.0 scram-sha-256');
};

const redis = async ({ sh }: Clone) => {
  const ask = (words: string) => sh(`redis-cli -p 6380 --no-auth-warning -a '${servicePassword}' ${words}`);
  for (const [option, value] of [
    ['maxmemory', String(32 << 20)],
    ['maxmemory-policy', 'allkeys-lru'],
    ['appendonly', 'yes'],
    ['bind', '127.0.0.1'],
  ])
    expect((await ask(`config get ${option}`)).split('\n')).toEqual([option, value]);
  expect(await sh('redis-cli -p 6380 ping 2>&1 || true')).toContain('NOAUTH');
};

const dns = async ({ sh, run }: Clone) => {
  expect(await run('dig', '+short', '@127.0.0.1', 'db.lab.example.org')).toBe('192.0.2.9');
  expect(await run('dig', '+short', '@127.0.0.1', 'lab.example.org', 'SOA')).toContain('root.lab.example.org.');
  const config = await sh('named-checkconf -p | tr -s "[:space:]" " "');
  for (const line of [
    'max-cache-size 34603008;',
    'forwarders { 192.0.2.53; };',
    'allow-query { "localhost"; 192.0.2.0/24; };',
    'allow-recursion { "localhost"; 192.0.2.0/24; };',
  ])
    expect(config).toContain(line);
};

/** The guest's own network service asks, over a cable that has both ends in the guest. */
const dhcp = async ({ sh, run }: Clone) => {
  await sh(
    'ip link add served type veth peer name asking && ip address add 198.51.100.1/24 dev served && ip link set served up',
  );
  await sh(
    'printf "[Match]\\nName=asking\\n[Network]\\nDHCP=ipv4\\n" > /run/systemd/network/05-asking.network && networkctl reload && ip link set asking up && systemctl restart kea-dhcp4-server',
  );
  for (let turn = 0; turn < 120 && !(await sh('ip -4 -o address show asking')).includes('198.51.100.10/24'); turn++)
    await sleep(500);
  expect(await sh('ip -4 -o address show asking')).toContain('198.51.100.10/24');
  expect(await run('ip', 'route', 'show', 'dev', 'asking')).toContain('default via 198.51.100.1');
  expect(await sh('resolvectl dns asking')).toContain('198.51.100.2');
  const [lease] = (await sh('tail -n 1 /var/lib/kea/kea-leases4.csv')).split('\n');
  expect(lease?.split(',').slice(0, 4)).toEqual(['198.51.100.10', expect.any(String), expect.any(String), '600']);
};

const vpn = async ({ sh, run }: Clone) => {
  const [own, peer] = (await run('wg', 'show', 'wg0', 'dump')).split('\n').map((line) => line.split('\t'));
  expect(own).toEqual([
    await sh('cat /etc/wireguard/private.key'),
    await sh('cat /etc/wireguard/private.key.pub'),
    '51821',
    'off',
  ]);
  expect([peer?.[0], peer?.[3], peer?.[7]]).toEqual([
    'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
    '10.9.0.0/16',
    '25',
  ]);
  expect(await run('ip', '-4', '-o', 'address', 'show', 'wg0')).toContain('10.8.0.1/24');
  expect(await run('ip', 'route', 'get', '10.9.1.1')).toContain('dev wg0');
  expect(await run('stat', '-c', '%a %U %G', '/etc/wireguard/private.key')).toBe('640 root systemd-network');
  // A machine that loses its key gets another, and the tunnel that is up takes it: so does a clone.
  await sh('rm /etc/wireguard/private.key && systemctl restart of-wireguard-key.service');
  expect(await run('wg', 'show', 'wg0', 'private-key')).not.toBe(own?.[0]);
};

const monitoring = async ({ run, sh }: Clone) => {
  expect(await sh(collectorsOf)).toBe([...namesOf('debian-trixie').collectors].join(' '));
  expect(
    await run(
      'bash',
      '-c',
      "exec 3<> /dev/tcp/127.0.0.1/9101; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3",
    ),
  ).toContain('\nnode_processes_state');
};

const ntp = async ({ run }: Clone) => {
  const sources = await run('chronyc', '-n', '-c', 'sources');
  expect(sources.split('\n').map((line) => line.split(',')[2])).toEqual(['192.0.2.123']);
  expect(await run('chronyc', 'accheck', '192.0.2.5')).toContain('Access allowed');
  expect(await run('chronyc', 'accheck', '198.51.100.5')).toContain('Access denied');
};

describe('the options of its services are those of the machine:', () => {
  const image = useImage('sinkTrixie');
  const questions = { postgresql, redis, dns, dhcp, vpn, monitoring, ntp };

  it(
    Object.keys(questions).join(', '),
    async () => {
      await image.inClone(async (clone) => {
        expect(await clone.run('systemctl', 'is-system-running')).toBe('running');
        const wrong: string[] = [];
        // Told together: a clone that is asked once costs less than one for each.
        for (const [service, ask] of Object.entries(questions))
          await ask(clone).catch((error: unknown) => wrong.push(`${service}: ${String(error)}`));
        expect(wrong).toEqual([]);
      });
    },
    10 * minutes,
  );
});
