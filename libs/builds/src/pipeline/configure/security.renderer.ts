import type { RecipeDto } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

type Level = RecipeDto['security']['hardening_level'];
const order: Level[] = ['minimal', 'standard', 'strict'];

/** One control of the hardening table: from which level on it holds, how it is applied, how a running image shows it. */
export interface HardeningControl {
  id: string;
  title: string;
  from: Level;
  apply: (plan: ImagePlan) => void;
  /** A command that succeeds in an image where the control holds. */
  check: string[];
}

const sysctl = (id: string, title: string, from: Level, key: string, value: string): HardeningControl => ({
  id,
  title,
  from,
  apply: (plan) => plan.file({ path: `/etc/sysctl.d/60-openfactory-${id}.conf`, content: `${key} = ${value}\n` }),
  check: ['sh', '-c', 'test "$(sysctl -n "$1")" = "$2"', 'sh', key, value],
});
const noModule = (name: string, from: Level): HardeningControl => ({
  id: `no-${name}`,
  title: `The kernel module ${name} cannot be loaded`,
  from,
  apply: (plan) =>
    plan.file({
      path: `/etc/modprobe.d/openfactory-${name}.conf`,
      content: `install ${name} /bin/false\nblacklist ${name}\n`,
    }),
  check: ['sh', '-c', '! modprobe --quiet "$1"', 'sh', name],
});

/** After the CIS benchmarks for Debian; a first table, to grow with the check of the same name. */
export const hardeningControls: HardeningControl[] = [
  sysctl('ptrace', 'Processes may trace only their children', 'minimal', 'kernel.yama.ptrace_scope', '1'),
  sysctl('aslr', 'Address space is randomised', 'minimal', 'kernel.randomize_va_space', '2'),
  sysctl('dmesg', 'The kernel log is for root', 'standard', 'kernel.dmesg_restrict', '1'),
  sysctl('kptr', 'Kernel addresses are hidden', 'standard', 'kernel.kptr_restrict', '2'),
  sysctl('suid-dump', 'Programs with privileges leave no core dump', 'standard', 'fs.suid_dumpable', '0'),
  sysctl('redirects', 'ICMP redirects are not accepted', 'standard', 'net.ipv4.conf.all.accept_redirects', '0'),
  sysctl(
    'source-route',
    'Source-routed packets are not accepted',
    'standard',
    'net.ipv4.conf.all.accept_source_route',
    '0',
  ),
  sysctl('martians', 'Impossible addresses are logged', 'standard', 'net.ipv4.conf.all.log_martians', '1'),
  sysctl('syncookies', 'SYN floods are answered with cookies', 'standard', 'net.ipv4.tcp_syncookies', '1'),
  ...['cramfs', 'freevxfs', 'jffs2', 'hfs', 'hfsplus', 'udf'].map((name) => noModule(name, 'standard')),
  // Not usb-storage: a live image that comes on a USB stick could not read itself.
  ...['dccp', 'sctp', 'rds', 'tipc'].map((name) => noModule(name, 'strict')),
  sysctl('bpf', 'Only root may load BPF programs', 'strict', 'kernel.unprivileged_bpf_disabled', '1'),
  sysctl('send-redirects', 'No ICMP redirects are sent', 'strict', 'net.ipv4.conf.all.send_redirects', '0'),
  {
    id: 'core-limit',
    title: 'Core dumps are off',
    from: 'standard',
    apply: (plan) => plan.file({ path: '/etc/security/limits.d/60-openfactory.conf', content: '* hard core 0\n' }),
    check: ['grep', '-q', '^\\* hard core 0$', '/etc/security/limits.d/60-openfactory.conf'],
  },
  {
    id: 'umask',
    title: 'New files are not readable by others',
    from: 'strict',
    apply: (plan) => plan.file({ path: '/etc/profile.d/openfactory-umask.sh', content: 'umask 027\n' }),
    check: ['grep', '-q', '^umask 027$', '/etc/profile.d/openfactory-umask.sh'],
  },
];

export function controlsOf(level: Level): HardeningControl[] {
  return hardeningControls.filter(({ from }) => order.indexOf(from) <= order.indexOf(level));
}

export function renderSecurity(plan: ImagePlan, { security }: RecipeDto): void {
  for (const control of controlsOf(security.hardening_level)) control.apply(plan);
  if (!security.audit_logging) return;
  const watched = [
    '/etc/passwd',
    '/etc/shadow',
    '/etc/group',
    '/etc/gshadow',
    '/etc/sudoers',
    '/etc/sudoers.d',
    '/etc/localtime',
    '/etc/hosts',
  ];
  plan.file({
    path: '/etc/audit/rules.d/60-openfactory.rules',
    content: `${watched.map((file) => `-w ${file} -p wa -k identity`).join('\n')}\n-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -k time-change\n`,
    mode: '0640',
  });
  plan.enable('auditd.service');
}
