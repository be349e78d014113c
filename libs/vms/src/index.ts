import type { EntityClass } from '#libs/platform';
import { VmDiskSnapshotEntity } from './vm-disk-snapshot.entity.js';
import { VmEntity } from './vm.entity.js';

export { VmsModule, type VmsModuleOptions } from './vms.module.js';
export { VmAccess } from './vm-access.service.js';
export { VmTimeouts } from './vm-timeouts.js';
export { ConsoleAccess, type ConsoleVm } from './console/console-access.js';
export { VmConsoleModule, type VmConsoleModuleOptions } from './console/vm-console.module.js';

export const vmEntities: EntityClass[] = [VmEntity, VmDiskSnapshotEntity];
