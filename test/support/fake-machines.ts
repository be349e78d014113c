import type { DynamicModule } from '@nestjs/common';
import sharp from 'sharp';
import { BootSnapshotOffers, GuestDisks, Hypervisor } from '#libs/hypervisor';
import {
  FakeGuestDisks,
  FakeHypervisor,
  type FakeGuestScript,
} from '../../libs/hypervisor/src/testing/fake-hypervisor.js';

class FakeMachinesModule {}

/** A hypervisor whose guests are up at once, with a helper and a screen of 640x480. */
export class FakeMachines extends FakeHypervisor {
  readonly module: DynamicModule = {
    module: FakeMachinesModule,
    providers: [
      BootSnapshotOffers,
      { provide: Hypervisor, useValue: this },
      { provide: GuestDisks, useValue: new FakeGuestDisks() },
    ],
    exports: [BootSnapshotOffers, Hypervisor, GuestDisks],
  };

  static async create(script: FakeGuestScript = {}): Promise<FakeMachines> {
    const screen = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#204060' } })
      .png()
      .toBuffer();
    return new FakeMachines({ systemStates: ['running'], screen, ...script });
  }
}

/** Waits no longer than a test may. */
export const quickTimeouts = {
  answerMs: 2_000,
  powerOffMs: 300,
  shutdownMs: 300,
  dutiesMs: 2_000,
  up: { lookMs: 5, graceMs: 20, patience: { lookMs: 50, standstillMs: 20_000, cpuMs: 60_000, longestMs: 20_000 } },
  beatMs: 3_600_000,
  tidyMs: 3_600_000,
};
