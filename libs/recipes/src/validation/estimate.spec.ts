import { describe, expect, it } from '@jest/globals';
import { FakePackageIndex, packageRecord } from '../testing/fake-package-index.js';
import { catalogue } from '../testing/recipe.factory.js';
import { RecipeValidator } from './recipe-validator.js';

/** The measured image: 160 packages, 644 MB by Installed-Size; its ISO was 238 MB with zstd-15, which packs 5 % better than zstd-9. */
const measured = ['linux-image-amd64', ...Array.from({ length: 159 }, (_, at) => `package-${at}`)].map((name) =>
  packageRecord(name, { essential: true, installedBytes: 644e6 / 160 }),
);
const estimateOf = async (more: Record<string, unknown> = {}) =>
  (
    await new RecipeValidator(catalogue, new FakePackageIndex({ 'debian-bookworm': measured })).validate({
      name: 'a',
      base_image: 'debian-bookworm',
      ...more,
    })
  ).resolved;

describe('the estimate', () => {
  it('comes near the image that was measured', async () => {
    const resolved = await estimateOf();
    expect(resolved?.estimated_size_bytes).toBeGreaterThan(235e6);
    expect(resolved?.estimated_size_bytes).toBeLessThan(255e6);
    // 85 s to install, 10 s to compress with zstd-9, 3 s for the ISO, 90 s for a boot without KVM.
    expect(resolved?.estimated_seconds).toBeGreaterThan(170);
    expect(resolved?.estimated_seconds).toBeLessThan(210);
  });

  it('knows what compression and files cost', async () => {
    const [fast, small] = [
      await estimateOf({ output: { compression: 'fast' } }),
      await estimateOf({ output: { compression: 'small' } }),
    ];
    expect(fast?.estimated_size_bytes).toBeGreaterThan(small?.estimated_size_bytes ?? 0);
    expect(fast?.estimated_seconds).toBeLessThan(small?.estimated_seconds ?? 0);
    const withFiles = await estimateOf({ files: [{ path: '/srv/a', content: 'x'.repeat(1_000_000) }] });
    expect((withFiles?.estimated_size_bytes ?? 0) - ((await estimateOf())?.estimated_size_bytes ?? 0)).toBe(273_000);
  });
});
