import type { Mail } from './mailer.port.js';

/** What people get by mail. Plain text: nothing in it can be forged by what somebody typed. */
export const emails = {
  reset: (to: string, url: string): Mail => ({
    to,
    subject: 'Set a new password for OpenFactory',
    text: `Somebody, probably you, asked for a new password for your OpenFactory account. Set it here within an hour:\n\n${url}\n\nIf that was not you, do nothing: your password stays as it is.\n`,
  }),
  confirm: (to: string, url: string): Mail => ({
    to,
    subject: 'Confirm your OpenFactory account',
    text: `Somebody, probably you, asked for an OpenFactory account with this address. Confirm it here within a day, and choose its password:\n\n${url}\n\nIf that was not you, do nothing: no account is made.\n`,
  }),
  invitation: (to: string, url: string, expiresAt: Date): Mail => ({
    to,
    subject: 'You are invited to OpenFactory',
    text: `An administrator invites you to make an account at OpenFactory. Choose your password here, until ${expiresAt.toUTCString()}:\n\n${url}\n\nThe link works once. If you do not want an account, do nothing.\n`,
  }),
  alreadyThere: (to: string, publicUrl: string): Mail => ({
    to,
    subject: 'You have an OpenFactory account already',
    text: `Somebody, probably you, asked for an OpenFactory account with this address, which has one already at ${publicUrl}.\nNothing was changed. If you do not know the password any more, ask for a new one.\n`,
  }),
};
