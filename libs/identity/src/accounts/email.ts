import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsEmail, MaxLength } from 'class-validator';
import { Doc } from '#libs/platform';

export const longestEmail = 254;

/** One spelling per address: mailboxes that differ in upper and lower case only are one in practice. */
export const normaliseEmail = (text: string): string => text.trim().toLowerCase();

/** An e-mail address of an input, normalised. Names without a dot are addresses too: of the machine, or of an intranet. */
export const Email = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? normaliseEmail(value) : value)),
    IsEmail({ require_tld: false }, { message: 'must be an e-mail address' }),
    MaxLength(longestEmail),
    Doc('E-mail address.', { format: 'email' }),
  );
