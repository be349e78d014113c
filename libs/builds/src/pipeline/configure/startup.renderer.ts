import type { RecipeDto } from '#libs/recipes';
import type { ImagePlan } from './image-plan.js';
import { hasNetwork } from './network.renderer.js';

/** The units of startup scripts, which may take as long as the recipe says. */
export const startupUnits = ({ startup_scripts }: RecipeDto): string[] =>
  startup_scripts.map((_script, position) => unitAt(position));
const unitAt = (position: number) => `of-startup-${position}.service`;

/** Startup scripts run at boot, and in a clone (libs/builds/machine/own), in the recipe's order, one after the other, each as a unit of its own. Their names never become file names. */
export function renderStartup(plan: ImagePlan, recipe: RecipeDto): void {
  const usually = hasNetwork(recipe) ? 'network' : 'boot';
  const ordered = recipe.startup_scripts
    .map((script, index) => ({ ...script, index }))
    .sort((a, b) => a.order - b.order || a.index - b.index);
  let previous: string | undefined;
  for (const [position, { name, script, run_once, timeout_seconds, after = usually }] of ordered.entries()) {
    const unit = unitAt(position);
    const file = `/usr/local/lib/openfactory/startup-${position}`;
    const done = `/var/lib/openfactory/startup-${position}.done`;
    plan.file({ path: file, content: script.endsWith('\n') ? script : `${script}\n`, mode: '0755' });
    plan.file({
      path: `/etc/systemd/system/${unit}`,
      content: [
        '[Unit]',
        `Description=Startup script ${name.replace(/[%\\]/g, '')}`,
        'After=multi-user.target network.target',
        ...(after === 'network' ? ['Wants=network-online.target', 'After=network-online.target'] : []),
        ...(previous ? [`After=${previous}`] : []),
        ...(run_once ? [`ConditionPathExists=!${done}`] : []),
        '',
        '[Service]',
        'Type=oneshot',
        'RemainAfterExit=yes',
        `TimeoutStartSec=${timeout_seconds}`,
        `ExecStart=${file}`,
        ...(run_once
          ? ['ExecStartPost=/usr/bin/install -d /var/lib/openfactory', `ExecStartPost=/usr/bin/touch ${done}`]
          : []),
        '',
        '[Install]',
        'WantedBy=default.target',
        '',
      ].join('\n'),
    });
    plan.enable(unit);
    previous = unit;
  }
}
