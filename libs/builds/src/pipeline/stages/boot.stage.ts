import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkBoot, usualGuestSize, type BootSnapshotOffers, type BootReport, type Hypervisor } from '#libs/hypervisor';
import { BuildFailure } from '../build-pipeline.port.js';
import { startupUnits } from '../configure/startup.renderer.js';
import { guestChannelsOf } from '../configure/guest-helper.renderer.js';
import { persistenceLabelOf } from '../iso/iso-identity.js';
import { BuildStage, type PipelineState, type StageContext } from '../stage.js';
import { discardTree, makeOwnedDir } from '../tree/owned-dir.js';

/** A boot that was late is tried once more, when the host may have less to do. */
const mostBoots = 2;

/** The written image boots by its own GRUB, its services run, and nothing failed. Kept by the image's hash: an image is booted once. */
export class BootStage extends BuildStage {
  readonly name = 'boot';
  readonly version = 2;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly offers: BootSnapshotOffers,
    /** Where guests have their directories: where layers are, nobody's account may enter but the build's. */
    private readonly bootDir: string,
  ) {
    super();
  }

  inputs({ image, resolution }: PipelineState): unknown {
    return { image: image?.sha256, services: servicesOf(resolution.units), guestChannels: guestChannelsOf(resolution) };
  }

  async make(state: PipelineState, outDir: string, context: StageContext): Promise<void> {
    await makeOwnedDir(outDir);
    await mkdir(this.bootDir, { recursive: true, mode: 0o711 });
    const guestDir = await mkdtemp(path.join(this.bootDir, 'boot-'));
    try {
      await chmod(guestDir, 0o711);
      await this.check(state, { outDir, guestDir }, context);
    } finally {
      await discardTree(guestDir);
    }
  }

  private async check(
    state: PipelineState,
    { outDir, guestDir }: { outDir: string; guestDir: string },
    context: StageContext,
  ): Promise<void> {
    // The next words may be minutes away.
    context.log('Boot: the image is started in a virtual machine, for minutes where there is no KVM');
    let report = await this.boot(state, guestDir, context);
    for (let boots = 1; report.isLate && boots < mostBoots; boots++) {
      context.log('Boot: the host was too slow for a verdict; the image is booted once more');
      report = await this.boot(state, guestDir, context);
    }
    if (!report.passed) throw failureOf(report);
    const { screenshot, serialTail, serialLogPath: _log, isLate: _never, ...facts } = report;
    await writeFile(path.join(outDir, 'boot.json'), `${JSON.stringify(facts, null, 2)}\n`);
    await writeFile(path.join(outDir, 'serial.log'), serialTail);
    if (screenshot) await writeFile(path.join(outDir, 'screenshot.png'), screenshot);
  }

  private async boot(
    { input, image, recipe, resolution }: PipelineState,
    workDir: string,
    { signal, progress, log }: StageContext,
  ): Promise<BootReport> {
    if (!image) throw new Error('boot needs an image');
    const kept = await this.offers.offer({
      ownerId: input.ownerId,
      imageSha256: image.sha256,
      persistenceLabel: persistenceLabelOf(image.id),
      ...usualGuestSize,
    });
    const check = {
      isoPath: image.path,
      firmware: 'bios' as const,
      ...usualGuestSize,
      guestChannels: guestChannelsOf(resolution),
      services: servicesOf(resolution.units),
      bounded: startupUnits(recipe),
      workDir,
      ...(kept && { kept }),
    };
    const report = await checkBoot(this.hypervisor, check, signal, progress).finally(() => kept?.close());
    for (const problem of report.problems) log(`Boot: ${problem}`);
    return report;
  }

  take(state: PipelineState, outDir: string): Promise<void> {
    const screenshotPath = path.join(outDir, 'screenshot.png');
    state.bootReport = {
      jsonPath: path.join(outDir, 'boot.json'),
      screenshotPath: existsSync(screenshotPath) ? screenshotPath : undefined,
      serialPath: path.join(outDir, 'serial.log'),
    };
    return Promise.resolve();
  }
}

/** An image is to blame for what was seen of it, never for being late. */
function failureOf({ problems, isLate, serialTail }: BootReport): BuildFailure {
  const words = problems.join(' ') || 'It did not come up.';
  const lines = serialTail
    .split('\n')
    .filter((line) => line.trim())
    .slice(-20);
  if (isLate)
    return new BuildFailure(
      'boot',
      'system',
      {
        reason: 'host_too_slow',
        message: `The image was written, but the host was too slow to tell whether it boots. ${words}`,
        hint: 'Retry the build when the host has less to do; everything up to the boot comes from the cache.',
        retryable: true,
      },
      lines,
    );
  return new BuildFailure(
    'boot',
    'caller',
    {
      reason: 'boot_check_failed',
      message: `The image was written but did not pass its boot. ${words}`,
      hint: 'Look at the last lines of its console; a service that needs a network or a setting of its own is the usual cause.',
    },
    lines,
  );
}

/** Timers and sockets are enabled, not running at all times; a template unit has no state of its own. */
function servicesOf(units: string[]): string[] {
  return units.filter((unit) => unit.endsWith('.service') && !unit.includes('@')).sort();
}
