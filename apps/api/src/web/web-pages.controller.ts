import { Controller, Get, NotFoundException, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { isForPrograms, PublicRoute, UncountedRoute } from '#libs/platform';
import { WebFiles } from './web-files.js';

/**
 * The web console: one page for every address that is not the API's, which tells by its own URL what to show, and the files of that page. Public on purpose: they
 * hold nothing of anybody's; where a link carries a token it is in the URL's fragment, which browsers send to nobody.
 */
@ApiExcludeController()
@PublicRoute()
@UncountedRoute()
@Controller()
export class WebPagesController {
  constructor(private readonly files: WebFiles) {}

  @Get('assets/:file')
  asset(@Param('file') file: string, @Res() response: Response): void {
    this.files.sendAsset(response, file);
  }

  /** Where links of accounts and consoles lead to. */
  @Get(['account', 'console/:vmName'])
  async page(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.files.sendPage(request, response);
  }

  /** Any other address in a browser: the page says what it knows of it. Programs, such as an MCP client that looks for an authorization server, are told in JSON that nothing is here. */
  @Get('{*path}')
  async anyPage(@Req() request: Request, @Res() response: Response): Promise<void> {
    if (isForPrograms(request.path) || request.accepts(['json', 'html']) !== 'html') throw new NotFoundException();
    await this.files.sendPage(request, response);
  }
}
