import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { dataSourceOptions, type EntityClass } from './migrate.js';

/** The one connection pool of the process. The schema is migrated before the application starts (see `migrate`). */
@Module({})
export class DatabaseModule {
  static forRoot(url: string, entities: EntityClass[]): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [TypeOrmModule.forRoot({ ...dataSourceOptions(url, entities, []), retryAttempts: 10, retryDelay: 500 })],
      exports: [TypeOrmModule],
    };
  }
}
