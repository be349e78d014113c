import path from 'node:path';
import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { notFound, productRoot, PublicRoute, UncountedRoute } from '#libs/platform';

const webRoot = path.join(productRoot, 'dist/web');
/** Vite names files by their content. */
const yearSeconds = 31_536_000;

/** The console's files. Public on purpose: they hold nothing of anybody's; the token in the URL's fragment is the permission. */
@ApiExcludeController()
@UncountedRoute()
@Controller('console')
export class ConsolePagesController {
  @PublicRoute()
  @Get('assets/:file')
  asset(@Param('file') file: string, @Res() response: Response): void {
    send(response, file, { root: path.join(webRoot, 'assets'), maxAge: yearSeconds * 1000, immutable: true });
  }

  @PublicRoute()
  @Get(':vmName')
  page(@Res() response: Response): void {
    send(response, 'index.html', { root: webRoot, cacheControl: false });
  }
}

function send(response: Response, file: string, options: { root: string; immutable?: boolean; maxAge?: number; cacheControl?: boolean }): void {
  if (options.immutable) response.removeHeader('Cache-Control');
  response.sendFile(file, { dotfiles: 'ignore', ...options }, (error) => {
    if (!error || response.headersSent) return;
    const { message } = notFound('page', file);
    response.status(404).type('text/plain').send(`${message} The web console is built with npm run build.\n`);
  });
}
