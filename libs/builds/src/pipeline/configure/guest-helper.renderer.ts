import { guestHelperFiles, guestHelperUnit, type GuestChannels } from '#libs/hypervisor';
import type { Resolution } from '#libs/recipes';
import { agentPackage } from '../package-lock.js';
import type { ImagePlan } from './image-plan.js';

export function guestChannelsOf({ removedPackages }: Resolution): GuestChannels {
  const isReachable = !removedPackages.includes(agentPackage);
  return { agent: isReachable, helper: isReachable };
}

export function renderGuestHelper(plan: ImagePlan, resolution: Resolution): void {
  if (!guestChannelsOf(resolution).helper) return;
  for (const file of guestHelperFiles()) plan.file(file);
  plan.enable(guestHelperUnit);
}
