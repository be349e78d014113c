import { invalid, type AppError } from '#libs/platform';
import { commonPasswords } from './common-passwords.js';

export const shortestPassword = 12;
export const longestPassword = 256;

/**
 * Length, and nothing that is tried first (OWASP ASVS 2.1): no rule about kinds of characters.
 * @throws AppError `weak_password`
 */
export function checkNewPassword(password: string, email: string): void {
  const { length } = [...password.normalize('NFC')];
  if (length < shortestPassword || length > longestPassword)
    throw weak(`A password has ${shortestPassword} to ${longestPassword} characters.`);
  const plain = password.toLowerCase();
  const [name = ''] = email.split('@', 1);
  if (plain === email || plain === name) throw weak('The password is the e-mail address.');
  if (commonPasswords.has(plain) || new Set(plain).size === 1)
    throw weak('This password is one of the commonest, which are tried first.');
}

const weak = (message: string): AppError =>
  invalid('weak_password', message, 'Take a few words that do not belong together, or let a password manager choose.');
