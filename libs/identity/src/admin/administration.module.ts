import { Module, type DynamicModule } from '@nestjs/common';
import {
  AccountKeys,
  AuditLog,
  DATABASE_URL,
  DatabaseModule,
  EventBus,
  FactorySecret,
  Revocations,
  Settings,
  type EntityClass,
} from '#libs/platform';
import { AccountEntity } from '../accounts/account.entity.js';
import { AccountRepository } from '../accounts/account.repository.js';
import { AccountLinkEntity } from '../links/account-link.entity.js';
import { AccountLinkRepository } from '../links/account-link.repository.js';
import { AccountLinks } from '../links/account-link.service.js';
import { SignInEndings } from '../sign-in/sign-in-endings.service.js';
import { SignInEntity } from '../sign-in/sign-in.entity.js';
import { SignInRepository } from '../sign-in/sign-in.repository.js';
import { AdministrationService } from './administration.service.js';

export const identityEntities: EntityClass[] = [AccountEntity, SignInEntity, AccountLinkEntity];

export interface AdministrationOptions {
  settings: Settings;
  databaseUrl: string;
  secret: string;
}

/** What the command line needs to administer accounts, beside a factory that runs or without one: no queue, no edges. */
@Module({})
export class AdministrationModule {
  static forRoot({ settings, databaseUrl, secret }: AdministrationOptions): DynamicModule {
    return {
      module: AdministrationModule,
      imports: [DatabaseModule.forRoot(databaseUrl, identityEntities)],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: DATABASE_URL, useValue: databaseUrl },
        { provide: FactorySecret, useValue: new FactorySecret(secret) },
        EventBus,
        Revocations,
        AuditLog,
        AccountRepository,
        AccountLinkRepository,
        SignInRepository,
        AccountLinks,
        // None is registered here: the command line ends sign-ins, and no keys.
        AccountKeys,
        SignInEndings,
        AdministrationService,
      ],
    };
  }
}
