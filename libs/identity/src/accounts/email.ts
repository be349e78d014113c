import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsEmail, isEmail, MaxLength } from 'class-validator';
import { clip, Doc, invalid } from '#libs/platform';

export const longestEmail = 254;

/** One spelling per address: mailboxes that differ in upper and lower case only are one in practice. */
export const normaliseEmail = (text: string): string => text.trim().toLowerCase();

/** Hosts without a dot have mailboxes too: this machine, or those of an intranet. */
const form = { require_tld: false };

/** An e-mail address that is no field of an input. @throws AppError `invalid_email` */
export function readEmail(text: string): string {
  const email = normaliseEmail(text);
  if (!isEmail(email, form) || email.length > longestEmail)
    throw invalid('invalid_email', `"${clip(email)}" is not an e-mail address.`);
  return email;
}

/** An e-mail address of an input, normalised. */
export const Email = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? normaliseEmail(value) : value)),
    IsEmail(form, { message: 'must be an e-mail address' }),
    MaxLength(longestEmail),
    Doc('E-mail address.', { format: 'email' }),
  );
