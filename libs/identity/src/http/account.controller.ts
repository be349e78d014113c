import { Body, Controller, Delete, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import {
  AccountKeys,
  CurrentCaller,
  OpenResponses,
  parseInput,
  PeopleOnly,
  Refuses,
  type Caller,
} from '#libs/platform';
import { AccountRepository } from '../accounts/account.repository.js';
import { PasswordService } from '../accounts/password.service.js';
import { accountIdOf, signInIdOf } from '../sign-in/own-sign-in.js';
import { SignInService } from '../sign-in/sign-in.service.js';
import { sessionOf, currentKeyOf, userOf } from './identity-answers.js';
import { ChangePasswordInput, type PasswordChanged, type SessionList, type User } from './identity.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

/** Somebody’s own account. */
@ApiTags('auth')
@PeopleOnly()
@Controller('api/auth')
export class AccountController {
  constructor(
    private readonly accounts: AccountRepository,
    private readonly signIns: SignInService,
    private readonly passwords: PasswordService,
    private readonly responses: OpenResponses,
    private readonly keys: AccountKeys,
  ) {}

  @Get('me')
  @Refuses({ 404: ['user_not_found'] })
  @ApiOperation({ operationId: 'getMe', summary: 'Who is signed in' })
  @ApiOkResponse(schema('User'))
  async me(@CurrentCaller() caller: Caller): Promise<User> {
    return userOf(await this.accounts.get(accountIdOf(caller)));
  }

  @Get('sessions')
  @ApiOperation({ operationId: 'listSessions', summary: 'Where somebody is signed in with this account' })
  @ApiOkResponse(schema('SessionList'))
  async sessions(@CurrentCaller() caller: Caller): Promise<SessionList> {
    const sessions = (await this.signIns.list(caller)).map((signIn) => sessionOf(signIn, signInIdOf(caller)));
    return { sessions, total: sessions.length };
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @Refuses({ 404: ['session_not_found'] })
  @ApiOperation({ operationId: 'endSession', summary: 'Signs out elsewhere, or here' })
  @ApiParam({ name: 'id', type: String })
  @ApiNoContentResponse()
  async endSession(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    if (id === signInIdOf(caller)) this.responses.spare(response);
    await this.signIns.endOwn(caller, id);
  }

  @Post('password')
  @HttpCode(200)
  @Refuses({
    400: ['weak_password'],
    403: ['wrong_password'],
    404: ['user_not_found'],
    429: ['too_many_attempts'],
    503: ['too_busy'],
  })
  @ApiOperation({
    operationId: 'changePassword',
    summary:
      'Changes the password, ends every other session of the account, and tells which API keys go on working, or revokes them',
  })
  @ApiBody(schema('ChangePasswordInput'))
  @ApiOkResponse(schema('PasswordChanged'))
  async changePassword(@CurrentCaller() caller: Caller, @Body() body: unknown): Promise<PasswordChanged> {
    const {
      current_password: current,
      new_password: next,
      revoke_keys: revokesKeys,
    } = parseInput(ChangePasswordInput, body);
    await this.passwords.change(caller, { current, next, revokesKeys });
    return { keys: (await this.keys.list(accountIdOf(caller))).map(currentKeyOf) };
  }
}
