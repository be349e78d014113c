import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { ConsoleAccess } from './console-access.js';
import { ConsoleDoor } from './console-door.js';
import { ConsolePace } from './console-pace.js';
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
  pace?: Partial<ConsolePace>;
}

@Module({})
export class VmConsoleModule {
  static forRoot({ vms, access, pace = {} }: VmConsoleModuleOptions): DynamicModule {
    return {
      module: VmConsoleModule,
      imports: [vms],
      controllers: [ConsoleController],
      providers: [{ provide: ConsoleAccess, useExisting: access }, { provide: ConsolePace, useValue: Object.assign(new ConsolePace(), pace) }, ConsoleUrlService, ConsoleDoor, OpenConsoles, ConsoleServer, ConsoleTools],
    };
  }
}
