import { Injectable, Logger } from '@nestjs/common';
import { BuildReader } from '#libs/builds';
import { errorMessage, EventBus } from '#libs/platform';
import { VmSnapshotStore } from './vm-snapshot-store.js';

/** VM snapshots go with their builds. */
@Injectable()
export class SnapshotSweep {
  private readonly log = new Logger('Vms');
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly snapshots: VmSnapshotStore,
    private readonly builds: BuildReader,
    private readonly events: EventBus,
  ) {}

  async begin(): Promise<void> {
    await this.snapshots.tidy();
    const onEvent = () =>
      void this.sweep().catch((error: unknown) =>
        this.log.warn(`Snapshots of deleted builds stay for now: ${errorMessage(error)}`),
      );
    this.unsubscribe = this.events.subscribe('build.deleted', { onEvent, onGap: onEvent });
  }

  stop(): void {
    this.unsubscribe?.();
  }

  /** Drops the snapshots of images that no build of their owner keeps. */
  async sweep(): Promise<void> {
    const snapshots = await this.snapshots.list();
    const gone = await this.builds.imagesGone(
      snapshots.map(({ ownerId, imageSha256: sha256 }) => ({ ownerId, sha256 })),
    );
    const isGone = (ownerId: string, sha256: string) =>
      gone.some((image) => image.ownerId === ownerId && image.sha256 === sha256);
    for (const { key, ownerId, imageSha256 } of snapshots) {
      if (!isGone(ownerId, imageSha256)) this.snapshots.noteBuilt(key);
      else if (!this.snapshots.isEarly(key)) await this.snapshots.drop(key);
    }
  }
}
