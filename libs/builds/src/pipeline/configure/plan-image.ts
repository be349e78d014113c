import type { AptSource, RecipeDto, Resolution } from '#libs/recipes';
import { renderFirewall } from './firewall.renderer.js';
import { renderGuestHelper } from './guest-helper.renderer.js';
import { ImagePlan } from './image-plan.js';
import { renderNetwork } from './network.renderer.js';
import { renderSecurity } from './security.renderer.js';
import { renderServices } from './services.renderer.js';
import { renderSnakeoil } from './snakeoil.renderer.js';
import { renderStartup } from './startup.renderer.js';
import { renderAptSources, renderSystem } from './system.renderer.js';
import { renderUsers } from './users.renderer.js';

/** Everything that a recipe says beyond packages, in an order in which later steps may rely on earlier ones. The recipe's own files come last and win. */
export function planImage(recipe: RecipeDto, resolution: Resolution, aptSources: AptSource[]): ImagePlan {
  const plan = new ImagePlan();
  renderSystem(plan, recipe);
  renderAptSources(plan, aptSources);
  renderGuestHelper(plan, resolution);
  renderSnakeoil(plan);
  renderNetwork(plan, recipe);
  renderUsers(plan, recipe);
  renderServices(plan, recipe, resolution);
  renderFirewall(plan, recipe, resolution);
  renderSecurity(plan, recipe);
  for (const { files } of resolution.features) for (const { path, content, content_base64, mode, owner, group } of files) plan.file({ path, content: content ?? Buffer.from(content_base64 ?? '', 'base64'), mode, owner, group });
  renderStartup(plan, recipe);
  for (const { path, content, content_base64, mode, owner, group } of recipe.files) plan.file({ path, content: content ?? Buffer.from(content_base64 ?? '', 'base64'), mode, owner, group });
  plan.enable(...resolution.units);
  return plan;
}
