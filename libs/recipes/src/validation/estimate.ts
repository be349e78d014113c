import type { AvailableBase } from '../catalogue/catalogue.js';
import type { PackageClosure, PackageIndex } from '../packages/package-index.port.js';
import { splitSpec } from './check-packages.js';
import { part, text, type Draft } from './draft.js';

/**
 * From the measurements of 20 November 2026 (2 CPUs; Debian 12 with 160 packages, docs/recipes.md): bytes of squashfs per byte of the
 * tree without /boot, and CPU seconds per MB of tree, by compression (zstd-3, zstd-9, xz). The sum of Installed-Size (644 MB) is
 * within two percent of that tree (650 MB).
 */
const compression = {
  fast: { ratio: 0.3, secondsPerMb: 0.005 },
  balanced: { ratio: 0.273, secondsPerMb: 0.014 },
  small: { ratio: 0.23, secondsPerMb: 0.09 },
} as const;
/** Kernel, initial RAM disk and boot loader lie beside the squashfs. */
const outsideSquashfsBytes = 71e6;
/** Unpacking and configuring a package took 0.35 s on average, the initial RAM disk 30 s, writing the ISO 3 s; the tests boot the image once, 90 s without KVM. */
const secondsPerPackage = 0.35;
const fixedSeconds = 30 + 3 + 90;

export interface Estimate {
  sizeBytes: number;
  seconds: number;
}

/** What apt would install on the base, the base included. */
export async function closureOf(
  base: AvailableBase,
  draft: Draft,
  packages: readonly string[],
  index: PackageIndex,
): Promise<PackageClosure> {
  return await index.closure(base.id, [
    await kernelOf(base, draft, index),
    ...base.archive.packages,
    ...packages.map((spec) => splitSpec(spec).name),
  ]);
}

export async function kernelOf(base: AvailableBase, draft: Draft, index: PackageIndex): Promise<string> {
  const { architecture } = await index.state(base.id);
  const kernels = base.archive.kernels[architecture === 'arm64' ? 'arm64' : 'amd64'];
  return text(part(draft, 'system'), 'kernel') === 'cloud' ? kernels.cloud : kernels.generic;
}

/** Size of the ISO and time to build it. */
export function estimate(closure: PackageClosure, draft: Draft): Estimate {
  const treeBytes = closure.installedBytes + fileBytes(draft);
  const { ratio, secondsPerMb } = compression[compressionOf(draft)];
  return {
    sizeBytes: Math.round(outsideSquashfsBytes + treeBytes * ratio),
    seconds: Math.round(fixedSeconds + closure.names.length * secondsPerPackage + (treeBytes / 1e6) * secondsPerMb),
  };
}

function compressionOf(draft: Draft): keyof typeof compression {
  const word = text(part(draft, 'output'), 'compression');
  return word === 'fast' || word === 'small' ? word : 'balanced';
}

function fileBytes(draft: Draft): number {
  const files = Array.isArray(draft.files) ? (draft.files as { content?: unknown; content_base64?: unknown }[]) : [];
  return files.reduce(
    (total, file) =>
      total +
      (typeof file?.content === 'string'
        ? Buffer.byteLength(file.content)
        : typeof file?.content_base64 === 'string'
          ? (file.content_base64.length * 3) / 4
          : 0),
    0,
  );
}
