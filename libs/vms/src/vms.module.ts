import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { ArtifactsModule } from '#libs/artifacts';
import { BootTimesRepository } from './host/boot-times.repository.js';
import { GuestStarter } from './host/guest-starter.js';
import { HostCapacity } from './host/host-capacity.js';
import { HostIdentity } from './host/host-identity.js';
import { MachineDirectories } from './host/machine-directories.js';
import { VmSnapshotStore } from './host/vm-snapshot-store.js';
import { SnapshotSweep } from './host/snapshot-sweep.js';
import { TemplateBoots } from './host/template-boots.js';
import { TemplateDirectories } from './host/template-directories.js';
import { BootSnapshots } from './host/boot-snapshots.js';
import { VmHost } from './host/vm-host.service.js';
import { VmRecovery } from './host/vm-recovery.service.js';
import { VmSnapshotRepository } from './host/vm-snapshot.repository.js';
import { VmReaper } from './host/vm-reaper.service.js';
import { VmAccess } from './vm-access.service.js';
import { VmAllowance } from './vm-allowance.service.js';
import { VmDiskSnapshotService } from './vm-disk-snapshot.service.js';
import { VmDiskSnapshotsController } from './vm-disk-snapshots.controller.js';
import { VmHostRepository } from './vm-host.repository.js';
import { VmAdmission } from './vm-admission.service.js';
import { VmTimeouts } from './vm-timeouts.js';
import { VmQueryService } from './vm-query.service.js';
import { VmScreenService } from './vm-screen.service.js';
import { VmRepository } from './vm.repository.js';
import { VmService } from './vm.service.js';
import { VmsController } from './vms.controller.js';
import { VmsTools } from './vms.tools.js';

export interface VmsModuleOptions {
  /** Exports BuildReader: the very module that the application imports, not another of its kind. */
  builds: DynamicModule;
  /** Exports Hypervisor, GuestDisks and BootSnapshotOffers. */
  hypervisor: Type | DynamicModule;
  /** Instead of the product's. */
  timeouts?: Partial<VmTimeouts>;
}

@Module({})
export class VmsModule {
  static forRoot({ builds, hypervisor, timeouts = {} }: VmsModuleOptions): DynamicModule {
    const host = [
      HostIdentity,
      HostCapacity,
      BootTimesRepository,
      MachineDirectories,
      VmSnapshotRepository,
      VmSnapshotStore,
      SnapshotSweep,
      TemplateDirectories,
      TemplateBoots,
      BootSnapshots,
      GuestStarter,
      VmHost,
      VmReaper,
      VmRecovery,
    ];
    return {
      module: VmsModule,
      imports: [ArtifactsModule, builds, hypervisor],
      controllers: [VmsController, VmDiskSnapshotsController],
      providers: [
        { provide: VmTimeouts, useValue: Object.assign(new VmTimeouts(), timeouts) },
        ...host,
        VmRepository,
        VmHostRepository,
        VmAllowance,
        VmAdmission,
        VmService,
        VmQueryService,
        VmAccess,
        VmScreenService,
        VmDiskSnapshotService,
        VmsTools,
      ],
      exports: [VmAccess],
    };
  }
}
