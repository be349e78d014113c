import type { Command } from 'commander';
import { readEmail, type AccountEntity, type AdministrationService } from '#libs/identity';
import { administer, type AuditContext } from './admin/administer.js';

/** Does something with the account of an address. */
async function withAccount<T>(
  email: string,
  action: NonNullable<AuditContext['action']>,
  work: (administration: AdministrationService, id: string) => Promise<T>,
): Promise<T> {
  return await administer(async (administration, audit) => {
    audit.action = action;
    const { id } = await administration.findByEmail(readEmail(email));
    audit.object = id;
    return await work(administration, id);
  });
}

export function registerAdminCommand(program: Command): void {
  const admin = program
    .command('admin')
    .description(
      'Administer accounts, beside a running factory or a stopped one; passwords are set by links, never given here',
    );

  admin
    .command('list', { isDefault: true })
    .description('every account')
    .action(async () => {
      const accounts = await administer((administration) => administration.list());
      console.log(accounts.length ? accounts.map(lineOf).join('\n') : 'There is no account yet.');
    });

  admin
    .command('create-user <email>')
    .description('make an account, and print the link to set its password')
    .option('--admin', 'an administrator')
    .action(async (email: string, { admin: isAdmin }: { admin?: true }) => {
      const link = await administer(async (administration, audit) => {
        audit.action = 'admin_create_user';
        const made = await administration.create(readEmail(email), isAdmin ? 'admin' : 'user');
        audit.object = made.accountId;
        return made;
      });
      printLink(link);
    });

  admin
    .command('reset <email>')
    .description('print a link to set the password of an account; older ones do nothing any more')
    .action(async (email: string) => {
      printLink(await withAccount(email, 'admin_reset_password', (administration, id) => administration.resetLink(id)));
    });

  for (const [name, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    admin
      .command(`${name} <email>`)
      .description(
        disabled
          ? 'disable an account; whatever it has open ends within a second'
          : 'let a disabled account be used again',
      )
      .action(async (email: string) => {
        console.log(
          lineOf(
            await withAccount(email, disabled ? 'admin_disable_user' : 'admin_enable_user', (administration, id) =>
              administration.change(id, { disabled }),
            ),
          ),
        );
      });
  }
}

function printLink({ url, expiresAt }: { url: string; expiresAt: Date }): void {
  console.log(`The password is set here, once, until ${expiresAt.toISOString()}:\n\n  ${url}\n`);
}

function lineOf({ email, role, disabledAt, lastSignedInAt }: AccountEntity): string {
  return [
    email,
    role,
    disabledAt ? 'disabled' : 'enabled',
    lastSignedInAt ? `signed in ${lastSignedInAt.toISOString()}` : 'never signed in',
  ].join('  ');
}
