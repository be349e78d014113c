import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Request } from 'express';
import { CallerService, parseInput, PublicRoute, Refuses } from '#libs/platform';
import { PasswordService } from '../accounts/password.service.js';
import { ResetRequests } from '../accounts/reset-request.service.js';
import { SignUpService } from '../accounts/sign-up.service.js';
import { AccountLinks } from '../links/account-link.service.js';
import { linkOf } from './identity-answers.js';
import {
  ConfirmInput,
  LinkInput,
  ResetInput,
  ResetRequestInput,
  SetUpInput,
  SignUpInput,
  type AccountNotice,
  type LinkDetails,
} from './identity.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

/** For people who are not signed in: new accounts, and passwords that nobody knows any more. */
@ApiTags('auth')
@PublicRoute()
@Controller('api/auth')
export class AccountLinksController {
  constructor(
    private readonly signUps: SignUpService,
    private readonly resets: ResetRequests,
    private readonly passwords: PasswordService,
    private readonly links: AccountLinks,
    private readonly callers: CallerService,
  ) {}

  @Post('sign-up')
  @HttpCode(202)
  @Refuses({
    400: ['invalid_link', 'invitation_of_another', 'weak_password'],
    403: ['sign_up_closed', 'invitation_required'],
    429: ['too_many_attempts'],
    503: ['too_busy'],
  })
  @ApiOperation({ operationId: 'signUp', summary: 'Makes an account, where OPENFACTORY_SIGN_UP allows it' })
  @ApiBody(schema('SignUpInput'))
  @ApiAcceptedResponse(schema('AccountNotice'))
  async signUp(@Body() body: unknown, @Req() request: Request): Promise<AccountNotice> {
    return await this.signUps.signUp({ ...parseInput(SignUpInput, body), address: this.callers.addressOf(request) });
  }

  @Post('confirm')
  @HttpCode(200)
  @Refuses({ 400: ['invalid_link', 'weak_password'], 503: ['too_busy'] })
  @ApiOperation({ operationId: 'confirmSignUp', summary: 'Makes the account whose address the mailed link proves' })
  @ApiBody(schema('ConfirmInput'))
  @ApiOkResponse(schema('AccountNotice'))
  async confirm(@Body() body: unknown): Promise<AccountNotice> {
    return await this.signUps.confirm(parseInput(ConfirmInput, body));
  }

  @Post('setup')
  @HttpCode(204)
  @Refuses({ 400: ['invalid_link', 'weak_password'], 409: ['already_set_up'], 503: ['too_busy'] })
  @ApiOperation({ operationId: 'setUp', summary: 'Makes the first administrator, by the link that the start printed' })
  @ApiBody(schema('SetUpInput'))
  @ApiNoContentResponse()
  async setUp(@Body() body: unknown): Promise<void> {
    await this.signUps.setUp(parseInput(SetUpInput, body));
  }

  @Post('reset-request')
  @HttpCode(202)
  @Refuses({ 429: ['too_many_attempts'] })
  @ApiOperation({ operationId: 'requestPasswordReset', summary: 'Asks for a link to set a new password' })
  @ApiBody(schema('ResetRequestInput'))
  @ApiAcceptedResponse(schema('AccountNotice'))
  async requestReset(@Body() body: unknown, @Req() request: Request): Promise<AccountNotice> {
    return await this.resets.ask({ ...parseInput(ResetRequestInput, body), address: this.callers.addressOf(request) });
  }

  @Post('reset')
  @HttpCode(204)
  @Refuses({ 400: ['invalid_link', 'weak_password'], 503: ['too_busy'] })
  @ApiOperation({
    operationId: 'resetPassword',
    summary: 'Sets a new password by a link, and ends every session of the account',
  })
  @ApiBody(schema('ResetInput'))
  @ApiNoContentResponse()
  async reset(@Body() body: unknown): Promise<void> {
    const { token, new_password } = parseInput(ResetInput, body);
    await this.passwords.reset(token, new_password);
  }

  @Post('link')
  @HttpCode(200)
  @Refuses({ 400: ['invalid_link'] })
  @ApiOperation({ operationId: 'describeAccountLink', summary: 'What a link is for; it stays unused' })
  @ApiBody(schema('LinkInput'))
  @ApiOkResponse(schema('LinkDetails'))
  async describe(@Body() body: unknown): Promise<LinkDetails> {
    return linkOf(await this.links.look(parseInput(LinkInput, body).token));
  }
}
