import type { RecipeDto, Resolution, ServiceConfig, ServiceId } from '#libs/recipes';
import type { ImagePlan } from '../image-plan.js';

export interface ServiceContext {
  recipe: RecipeDto;
  resolution: Resolution;
}

/** Carries every option of a service out; plan-services.spec.ts holds each option of the schema against it. */
export type ServiceRenderer<Id extends ServiceId> = (
  plan: ImagePlan,
  config: ServiceConfig<Id>,
  context: ServiceContext,
) => void;

/** Addresses of one machine come up after its network does; a server that binds them has to wait and to try again. */
export function waitsForAddresses(plan: ImagePlan, unit: string, addresses: readonly string[]): void {
  if (!addresses.some((address) => !['localhost', '127.0.0.1', '::1', '0.0.0.0', '::'].includes(address))) return;
  plan.file({
    path: `/etc/systemd/system/${unit}.d/10-openfactory.conf`,
    content:
      '[Unit]\nWants=network-online.target\nAfter=network-online.target\nStartLimitIntervalSec=0\n\n[Service]\nRestartSec=2\n',
  });
}
