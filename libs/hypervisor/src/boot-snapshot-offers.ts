import { Injectable } from '@nestjs/common';
import type { Guest, GuestSpec } from './hypervisor.port.js';

/** The first boot of an image, by which it is tested and which nobody uses. */
export interface NewBoot {
  ownerId: string;
  imageSha256: string;
  persistenceLabel: string;
  memoryMb: number;
  vcpus: number;
}

/** What a boot needs so that its state can be kept. */
export interface BootSnapshot {
  readonly spec: Pick<GuestSpec, 'diskPath' | 'workDir' | 'uidIndex' | 'savable'>;
  /** Keeps the state of the guest, whose system is up and whose helper has spoken, and ends it. Never rejects: the boot was good all the same. */
  keep(guest: Guest): Promise<void>;
  /** To be called when the guest has ended, however it did. Never rejects. */
  close(): Promise<void>;
}

/** @returns undefined where this boot is of no use. Never rejects. */
export type BootTaker = (boot: NewBoot) => Promise<BootSnapshot | undefined>;

/** Where those who boot an image to test it meet those who have a use for a booted one. */
@Injectable()
export class BootSnapshotOffers {
  private taker: BootTaker | undefined;

  /** @returns ends it */
  takenBy(taker: BootTaker): () => void {
    this.taker = taker;
    return () => (this.taker = undefined);
  }

  /** @returns undefined where nobody wants it */
  async offer(boot: NewBoot): Promise<BootSnapshot | undefined> {
    return await this.taker?.(boot);
  }
}
