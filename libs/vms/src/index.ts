import type { EntityClass } from '#libs/platform';
import { VmDiskSnapshotEntity } from './vm-disk-snapshot.entity.js';
import { VmEntity } from './vm.entity.js';

export { VmsModule, type VmsModuleOptions } from './vms.module.js';
export { VmPace } from './vm-pace.js';

export const vmEntities: EntityClass[] = [VmEntity, VmDiskSnapshotEntity];
