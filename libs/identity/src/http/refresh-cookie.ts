import { Injectable } from '@nestjs/common';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { Request, Response } from 'express';
import { AppError, Settings } from '#libs/platform';

export const refreshCookieName = 'openfactory_refresh';
const daySeconds = 86_400;

/**
 * The refresh token of a browser: no script reads it, no other site sends it. SameSite is a browser's promise about sites, not origins (another
 * port of this machine is the same site), so whoever relies on the cookie also sends a header that a plain form cannot.
 */
@Injectable()
export class RefreshCookie {
  constructor(private readonly settings: Settings) {}

  set(response: Response, token: string): void {
    this.#write(response, token, this.settings.signInDays * daySeconds);
  }

  clear(response: Response): void {
    this.#write(response, '', 0);
  }

  /** @throws AppError `csrf_header_required` */
  read(request: Request): string | undefined {
    const token = parseCookie(request.headers.cookie ?? '')[refreshCookieName];
    if (token !== undefined && request.headers['x-requested-with'] !== 'openfactory') throw headerRequired();
    return token || undefined;
  }

  #write(response: Response, value: string, maxAge: number): void {
    const { pathname, protocol } = new URL(this.settings.publicUrl);
    const path = `${pathname.replace(/\/$/, '')}/api/auth`;
    response.append(
      'Set-Cookie',
      stringifySetCookie({
        name: refreshCookieName,
        value,
        path,
        maxAge,
        httpOnly: true,
        sameSite: 'strict',
        secure: protocol === 'https:',
      }),
    );
  }
}

function headerRequired(): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'csrf_header_required',
    message: 'A request with the refresh cookie needs the header "X-Requested-With: openfactory".',
    hint: 'Send it, to show that a page of this factory asks and not a form of another.',
  });
}
