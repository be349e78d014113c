import type { ServiceConfig } from '#libs/recipes';
import type { ImagePlan } from '../image-plan.js';
import { machineWork } from '../machine.renderer.js';
import type { ServiceRenderer } from './service-renderer.js';

const keyUnit = 'of-wireguard-key.service';
/** Marks the tunnel's own packets, so that they do not go into the tunnel; table for what does. As wg-quick(8) does it. */
const mark = 51_820;

/** networkd's tunnel (systemd.netdev(5)): names of peers are looked up when there is a network, and the boot does not wait for them. */
export const renderVpn: ServiceRenderer<'vpn'> = (plan, config) => {
  const takesAll = config.peers.some(({ allowed_ips }) => allowed_ips.some((network) => network.endsWith('/0')));
  plan.file({
    path: '/etc/systemd/network/20-wg0.netdev',
    content: netdevOf(config, takesAll),
    mode: '0640',
    group: 'systemd-network',
  });
  plan.file({
    path: '/etc/systemd/network/20-wg0.network',
    content: [
      '[Match]',
      'Name=wg0',
      '',
      '[Link]',
      'RequiredForOnline=no',
      '',
      '[Network]',
      ...config.addresses.map((address) => `Address=${address}`),
      ...(takesAll ? policyOf() : []),
      '',
    ].join('\n'),
  });
  renderKey(plan, config.private_key_file);
};

function netdevOf({ type, listen_port, private_key_file, peers }: ServiceConfig<'vpn'>, takesAll: boolean): string {
  return [
    '[NetDev]',
    'Name=wg0',
    `Kind=${type}`,
    '',
    '[WireGuard]',
    `ListenPort=${listen_port}`,
    `PrivateKeyFile=${private_key_file}`,
    ...(takesAll ? [`FirewallMark=${mark}`, `RouteTable=${mark}`] : ['RouteTable=main']),
    ...peers.flatMap(({ public_key, allowed_ips, endpoint, persistent_keepalive }) => [
      '',
      '[WireGuardPeer]',
      `PublicKey=${public_key}`,
      `AllowedIPs=${allowed_ips.join(',')}`,
      ...(endpoint === undefined ? [] : [`Endpoint=${endpoint}`]),
      ...(persistent_keepalive ? [`PersistentKeepalive=${persistent_keepalive}`] : []),
    ]),
    '',
  ].join('\n');
}

/** Everything into the tunnel, but for its own packets and for routes that say more than "default". */
function policyOf(): string[] {
  const rule = (lines: string[]) => ['', '[RoutingPolicyRule]', 'Family=both', ...lines];
  return [
    ...rule(['Priority=10', 'Table=main', 'SuppressPrefixLength=0']),
    ...rule(['Priority=20', `FirewallMark=${mark}`, 'InvertRule=yes', `Table=${mark}`]),
  ];
}

/** The private key is the machine's own: made before networkd reads it where no file of the recipe brings it, and given to a tunnel that is up already. */
function renderKey(plan: ImagePlan, file: string): void {
  // networkd reads it as an account of its own.
  plan.run(['install', '-d', '-m', '0750', '-g', 'systemd-network', '/etc/wireguard']);
  const make = `umask 027; wg genkey > ${file} && chgrp systemd-network ${file} && wg pubkey < ${file} > ${file}.pub && { ! ip link show wg0 > /dev/null 2>&1 || wg set wg0 private-key ${file}; }`;
  // After of-machine.service, which forgets a key that was another machine's: one that was made meanwhile would go as well.
  plan.file({
    path: `/etc/systemd/system/${keyUnit}`,
    content: [
      '[Unit]',
      'Description=Make the WireGuard key of this machine',
      `ConditionPathExists=!${file}`,
      'DefaultDependencies=no',
      'After=local-fs.target systemd-sysusers.service of-machine.service',
      'Before=systemd-networkd.service',
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      `ExecStart=/bin/sh -c '${make}'`,
      '',
      '[Install]',
      'WantedBy=systemd-networkd.service',
      '',
    ].join('\n'),
  });
  plan.enable(keyUnit);
  // One that a file of the recipe brought has no public half beside it.
  machineWork(plan, 'wireguard', {
    commands: [`[ -e ${file}.pub ] || exit 0`, `rm -f ${file} ${file}.pub`],
    users: [keyUnit],
  });
}
