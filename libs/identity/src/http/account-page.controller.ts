import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { PublicRoute, sendWebAsset, sendWebPage, UncountedRoute } from '#libs/platform';

/** The page that links of accounts lead to. Public on purpose: the token in the URL's fragment is the permission. */
@ApiExcludeController()
@PublicRoute()
@UncountedRoute()
@Controller()
export class AccountPageController {
  @Get('account')
  page(@Res() response: Response): void {
    sendWebPage(response);
  }

  @Get('assets/:file')
  asset(@Param('file') file: string, @Res() response: Response): void {
    sendWebAsset(response, file);
  }
}
