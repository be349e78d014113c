import type { AvailableBase } from '../catalogue/catalogue.js';
import type { PackageIndex } from '../packages/package-index.port.js';
import { objects, text, type Draft } from './draft.js';
import { kernelOf } from './estimate.js';
import type { Findings } from './findings.js';

/** Beside the kernel and the essential packages; what they need comes with them. */
const bootPackages = ['initramfs-tools', 'kmod', 'live-boot', 'systemd-sysv', 'udev', 'zstd'];

/** apt takes any package away that it is told to, and what is left does not boot. */
export async function checkRemovals(
  base: AvailableBase,
  draft: Draft,
  { index, findings }: { index: PackageIndex; findings: Findings },
): Promise<void> {
  const removals = objects(draft, 'package_overrides').filter(
    ({ value }) => value.action === 'remove' || value.action === 'replace',
  );
  if (!removals.length) return;
  const needed = new Set((await index.closure(base.id, [await kernelOf(base, draft, index), ...bootPackages])).names);
  for (const { value, path } of removals) {
    const name = text(value, 'name') ?? '';
    if (needed.has(name))
      findings.error(
        `${path}/name`,
        'package_needed',
        `Without ${name} an image of ${base.id} does not boot; leave it in.`,
      );
  }
}
