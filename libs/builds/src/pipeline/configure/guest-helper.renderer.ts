import { guestHelperFiles, guestHelperUnit, type ImageVoices } from '#libs/hypervisor';
import type { Resolution } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';

/** In every base; a recipe that removes it wants nobody outside to reach into its machines, and gets no helper of ours either. */
const agentPackage = 'qemu-guest-agent';

export function voicesOf({ removedPackages }: Resolution): ImageVoices {
  const isReachable = !removedPackages.includes(agentPackage);
  return { agent: isReachable, helper: isReachable };
}

export function renderGuestHelper(plan: ImagePlan, resolution: Resolution): void {
  if (!voicesOf(resolution).helper) return;
  for (const file of guestHelperFiles()) plan.file(file);
  plan.enable(guestHelperUnit);
}
