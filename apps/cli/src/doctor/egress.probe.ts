import { egressProblem } from '#libs/hypervisor';
import { ok, warn, type Check } from './check.js';

const name = 'guest network';

/** Whether VMs may have the network `egress` here, by making one. */
export async function probeEgress(probe = egressProblem): Promise<Check[]> {
  const problem = await probe();
  if (problem === undefined) return [ok(name, 'works: guests can reach the internet, and nothing of this host')];
  return [
    warn(
      name,
      problem,
      'VMs work, but only without a network. Run "npm run setup" as root for slirp4netns, nftables and iproute2, load the kernel module tun, and allow user namespaces.',
    ),
  ];
}
