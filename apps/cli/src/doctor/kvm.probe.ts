import { errorMessage } from '#libs/platform';
import { probeAcceleration } from '#libs/hypervisor';
import { ok, warn, type Check } from './check.js';

const name = 'KVM';

/** What guests will run on, by the probe that the factory itself decides by. */
export async function probeKvm(probe = probeAcceleration): Promise<Check[]> {
  try {
    const { kind, why } = await probe();
    if (kind === 'kvm') return [ok(name, `works: ${why}`)];
    return [
      warn(
        name,
        why,
        'Guests will run on emulation (TCG), many times slower. Switch virtualisation on (nested, in a virtual machine), load kvm_intel or kvm_amd, and let this account open /dev/kvm.',
      ),
    ];
  } catch (error) {
    return [
      warn(
        name,
        errorMessage(error),
        'Builds cannot boot their images here, and there are no virtual machines: run "npm run setup" as root.',
      ),
    ];
  }
}
