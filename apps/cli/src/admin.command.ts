import type { Command } from 'commander';
import { readEmail, type AccountEntity, type AdministrationService } from '#libs/identity';
import { administer } from './admin/administer.js';

const account = async (administration: AdministrationService, email: string) => await administration.findByEmail(readEmail(email));

export function registerAdminCommand(program: Command): void {
  const admin = program.command('admin').description('Administer accounts, beside a running factory or a stopped one; passwords are set by links, never given here');

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
      printLink(await administer((administration) => administration.create(readEmail(email), isAdmin ? 'admin' : 'user')));
    });

  admin
    .command('reset <email>')
    .description('print a link to set the password of an account; older ones do nothing any more')
    .action(async (email: string) => {
      printLink(await administer(async (administration) => administration.resetLink((await account(administration, email)).id)));
    });

  for (const [name, disabled] of [['disable', true], ['enable', false]] as const) {
    admin
      .command(`${name} <email>`)
      .description(disabled ? 'disable an account; whatever it has open ends within a second' : 'let a disabled account be used again')
      .action(async (email: string) => {
        console.log(lineOf(await administer(async (administration) => administration.change((await account(administration, email)).id, { disabled }))));
      });
  }
}

function printLink({ url, expiresAt }: { url: string; expiresAt: Date }): void {
  console.log(`The password is set here, once, until ${expiresAt.toISOString()}:\n\n  ${url}\n`);
}

function lineOf({ email, role, disabledAt, lastSignedInAt }: AccountEntity): string {
  return [email, role, disabledAt ? 'disabled' : 'enabled', lastSignedInAt ? `signed in ${lastSignedInAt.toISOString()}` : 'never signed in'].join('  ');
}
