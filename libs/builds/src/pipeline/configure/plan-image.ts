import type { AptSource, RecipeDto, Resolution } from '#libs/recipes';
import { renderChecks, renderFiles } from './files.renderer.js';
import { renderFirewall } from './firewall.renderer.js';
import { renderGuestHelper } from './guest-helper.renderer.js';
import { ImagePlan } from './image-plan.js';
import { renderMachine } from './machine.renderer.js';
import { renderNetwork } from './network.renderer.js';
import { renderSecurity } from './security.renderer.js';
import { renderServices } from './services.renderer.js';
import { renderStartup } from './startup.renderer.js';
import { renderAptSources, renderSystem } from './system.renderer.js';
import { renderUsers } from './users.renderer.js';

/** Everything that a recipe says beyond packages, in an order in which later steps may rely on earlier ones. The recipe's own files come last, win, and are not cleaned away. */
export function planImage(recipe: RecipeDto, resolution: Resolution, aptSources: AptSource[]): ImagePlan {
  const plan = new ImagePlan();
  renderSystem(plan, recipe, resolution);
  renderAptSources(plan, aptSources);
  renderGuestHelper(plan, resolution);
  renderMachine(plan);
  renderNetwork(plan, recipe);
  renderUsers(plan, recipe);
  renderServices(plan, recipe, resolution);
  renderFirewall(plan, recipe, resolution);
  renderSecurity(plan, recipe);
  for (const { files } of resolution.features) renderFiles(plan, files);
  renderStartup(plan, recipe);
  plan.clean();
  renderFiles(plan, recipe.files, '/files');
  renderChecks(plan, recipe);
  plan.runChecks();
  plan.enable(...resolution.units);
  return plan;
}
