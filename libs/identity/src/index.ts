export { IdentityModule } from './identity.module.js';
export { AdministrationModule, identityEntities, type AdministrationOptions } from './admin/administration.module.js';
export { AdministrationService } from './admin/administration.service.js';
export { readEmail } from './accounts/email.js';
export type { AccountEntity } from './accounts/account.entity.js';
export { FirstAdministrator } from './accounts/first-administrator.js';
