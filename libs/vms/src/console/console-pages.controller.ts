import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { PublicRoute, sendWebAsset, sendWebPage, UncountedRoute } from '#libs/platform';

/** The console's files. Public on purpose: they hold nothing of anybody's; the token in the URL's fragment is the permission. */
@ApiExcludeController()
@UncountedRoute()
@Controller('console')
export class ConsolePagesController {
  @PublicRoute()
  @Get('assets/:file')
  asset(@Param('file') file: string, @Res() response: Response): void {
    sendWebAsset(response, file);
  }

  @PublicRoute()
  @Get(':vmName')
  page(@Res() response: Response): void {
    sendWebPage(response);
  }
}
