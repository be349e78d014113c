import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { ConsoleAccess } from './console-access.js';
import { ConsoleAuthorizer } from './console-authorizer.js';
import { ConsoleTimeouts } from './console-timeouts.js';
import { ConsoleServer } from './console-server.js';
import { ConsoleUrlService } from './console-url.service.js';
import { ConsoleController } from './console.controller.js';
import { ConsoleTools } from './console.tools.js';
import { OpenConsoles } from './open-consoles.js';

export interface VmConsoleModuleOptions {
  /** Exports `access`. */
  vms: Type | DynamicModule;
  access: Type<ConsoleAccess>;
  /** Instead of the product's. */
  timeouts?: Partial<ConsoleTimeouts>;
}

@Module({})
export class VmConsoleModule {
  static forRoot({ vms, access, timeouts = {} }: VmConsoleModuleOptions): DynamicModule {
    return {
      module: VmConsoleModule,
      imports: [vms],
      controllers: [ConsoleController],
      providers: [
        { provide: ConsoleAccess, useExisting: access },
        { provide: ConsoleTimeouts, useValue: Object.assign(new ConsoleTimeouts(), timeouts) },
        ConsoleUrlService,
        ConsoleAuthorizer,
        OpenConsoles,
        ConsoleServer,
        ConsoleTools,
      ],
    };
  }
}
