import { Injectable, Logger } from '@nestjs/common';
import { BootSnapshotOffers, Hypervisor, type BootSnapshot, type NewBoot } from '#libs/hypervisor';
import { errorMessage } from '#libs/platform';
import { HostCapacity } from './host-capacity.js';
import { shapeOf, snapshotKey } from './machine-shape.js';
import { VmSnapshotStore } from './vm-snapshot-store.js';
import { TemplateBoots } from './template-boots.js';
import { TemplateDirectories } from './template-directories.js';

/** The boot that an image is tested by is one that nobody used: its state is kept, so that the first VM of a new build is a clone already. */
@Injectable()
export class BootSnapshots {
  private readonly log = new Logger('Vms');
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly offers: BootSnapshotOffers,
    private readonly hypervisor: Hypervisor,
    private readonly snapshots: VmSnapshotStore,
    private readonly templates: TemplateBoots,
    private readonly places: TemplateDirectories,
    private readonly capacity: HostCapacity,
  ) {}

  begin(): void {
    this.unsubscribe = this.offers.takenBy(async (boot) => {
      try {
        return await this.take(boot);
      } catch (error) {
        this.log.warn(`The boot of the image ${boot.imageSha256} will not be kept: ${errorMessage(error)}`);
        return undefined;
      }
    });
  }

  stop(): void {
    this.unsubscribe?.();
  }

  private async take(boot: NewBoot): Promise<BootSnapshot | undefined> {
    if (!this.templates.canServe(boot) || !(await this.hasRoom(boot))) return undefined;
    const key = snapshotKey(boot, await this.hypervisor.fingerprint(shapeOf({ ...boot, network: 'none' })));
    if (await this.snapshots.has(key)) return undefined;
    const end = this.templates.reserve(key);
    if (!end) return undefined;
    let isKept = false;
    try {
      const place = await this.places.open({ key, isEarly: true, ...boot });
      const doing = async (work: Promise<void>) =>
        await work.catch((error: unknown) =>
          this.log.warn(`The boot of the image ${boot.imageSha256} was not kept: ${errorMessage(error)}`),
        );
      return {
        spec: place.spec,
        keep: (guest) => doing(place.keep(guest).then(() => void (isKept = true))),
        close: () => doing(place.close().finally(() => end(isKept))),
      };
    } catch (error) {
      end(false);
      throw error;
    }
  }

  /** The guest's memory is a file, and so is what is kept of it. */
  private async hasRoom({ memoryMb }: NewBoot): Promise<boolean> {
    return (await this.capacity.freeDiskBytes()) - 2 * memoryMb * 2 ** 20 > this.capacity.limits.leastFreeDiskBytes;
  }
}
