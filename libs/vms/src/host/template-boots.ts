import { Injectable } from '@nestjs/common';
import { BuildReader } from '#libs/builds';
import { Hypervisor, waitForSystem } from '#libs/hypervisor';
import { AppError, Settings, untilAborted } from '#libs/platform';
import { VmTimeouts } from '../vm-timeouts.js';
import type { Vm } from '../vm.js';
import { MachineDirectories } from './machine-directories.js';
import { shapeOf } from './machine-shape.js';
import { TemplateDirectories } from './template-directories.js';

interface Boot {
  done: Promise<void>;
  abort: AbortController;
  waiting: number;
}

/** Boots guests that nobody uses, once for all who wait for one of a kind, and keeps their state for clones. */
@Injectable()
export class TemplateBoots {
  private readonly boots = new Map<string, Boot>();
  /** Boots of others, of which there may be a snapshot in the end. */
  private readonly others = new Map<string, Promise<boolean>>();
  /** Images without a helper, by their list of packages or their own service manager, never because it was late: their clones could never be machines of their own. */
  private readonly uncloneable = new Set<string>();

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly directories: MachineDirectories,
    private readonly places: TemplateDirectories,
    private readonly builds: BuildReader,
    private readonly settings: Settings,
    private readonly timeouts: VmTimeouts,
  ) {}

  canServe({ imageSha256 }: Pick<Vm, 'imageSha256'>): boolean {
    return this.settings.vmSnapshotsPerCaller > 0 && !this.uncloneable.has(imageSha256);
  }

  /**
   * Resolves when there is a snapshot of this key. Ends its boot when the last one who waits for it goes away.
   * @throws AppError `image_not_cloneable`, `helper_late`, `system_not_up`, `host_too_slow`, `snapshot_failed`, `hypervisor_unavailable`, or the signal's reason
   */
  async make(key: string, vm: Vm, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const other = this.others.get(key);
      if (other) {
        if (await untilAborted(other, signal)) return;
        continue;
      }
      const boot = this.boots.get(key) ?? this.begin(key, vm);
      if (boot.abort.signal.aborted) {
        await boot.done.catch(() => undefined);
        continue;
      }
      boot.waiting++;
      try {
        return await untilAborted(boot.done, signal);
      } finally {
        if (--boot.waiting === 0) boot.abort.abort(new Error('Nobody waits for this boot any more.'));
      }
    }
  }

  /**
   * Somebody else boots a guest of this key: nobody here does meanwhile.
   * @returns to be called when that is over, with whether there is a snapshot now; undefined where one is being made here
   */
  reserve(key: string): ((isKept: boolean) => void) | undefined {
    if (this.boots.has(key) || this.others.has(key)) return undefined;
    let resolve: (isKept: boolean) => void = () => undefined;
    this.others.set(key, new Promise((settle) => (resolve = settle)));
    return (isKept) => {
      this.others.delete(key);
      resolve(isKept);
    };
  }

  /** Ends all boots of its own. */
  async stop(): Promise<void> {
    const boots = [...this.boots.values()];
    for (const { abort } of boots) abort.abort(new Error('The factory stops.'));
    await Promise.allSettled(boots.map(({ done }) => done));
  }

  private begin(key: string, vm: Vm): Boot {
    const abort = new AbortController();
    const done = this.boot(key, vm, abort.signal).finally(() => this.boots.delete(key));
    done.catch(() => undefined);
    const boot = { done, abort, waiting: 0 };
    this.boots.set(key, boot);
    return boot;
  }

  private async boot(key: string, vm: Vm, signal: AbortSignal): Promise<void> {
    if (await this.builds.isWithoutAgent(vm.buildId)) throw this.cannotClone(vm);
    const place = await this.places.open({
      key,
      ownerId: vm.ownerId,
      imageSha256: vm.imageSha256,
      persistenceLabel: vm.persistenceLabel,
    });
    try {
      await this.directories.prepare(place.files, vm.imageKey, signal);
      const { disk: _disk, ...shape } = shapeOf(vm);
      const guest = await this.hypervisor.start({ ...shape, ...place.spec, isoPath: place.files.isoPath }, signal);
      try {
        const { helper, isWithoutHelper } = await waitForSystem(guest, signal, this.timeouts.up);
        if (isWithoutHelper) throw this.cannotClone(vm);
        if (!helper)
          throw new AppError({
            kind: 'unavailable',
            reason: 'helper_late',
            message: 'The helper of the image did not speak in time.',
          });
        signal.throwIfAborted();
        await place.keep(guest);
      } finally {
        await guest.quit();
      }
    } finally {
      await place.close();
    }
  }

  private cannotClone({ imageSha256 }: Vm): AppError {
    this.uncloneable.add(imageSha256);
    return new AppError({
      kind: 'wrong_state',
      reason: 'image_not_cloneable',
      message: 'The image has no helper that could make a clone a machine of its own.',
    });
  }
}
