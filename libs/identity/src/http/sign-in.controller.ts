import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import {
  CallerService,
  credentialsRequired,
  CurrentCaller,
  OpenResponses,
  parseInput,
  PeopleOnly,
  PublicRoute,
  Refuses,
  Settings,
  type Caller,
} from '#libs/platform';
import { invalidRefreshToken, SignInService, type SignInAttempt } from '../sign-in/sign-in.service.js';
import { SignInInput, type AccessToken, type SignedInUser } from './identity.dto.js';
import { RefreshCookie } from './refresh-cookie.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });
const csrfHeader = {
  name: 'X-Requested-With',
  required: true,
  description: 'openfactory: shows that no form of another site sends the cookie.',
};

/** Signing in, staying signed in, signing out. */
@ApiTags('auth')
@Controller('api/auth')
export class SignInController {
  constructor(
    private readonly signIns: SignInService,
    private readonly cookie: RefreshCookie,
    private readonly callers: CallerService,
    private readonly responses: OpenResponses,
    private readonly settings: Settings,
  ) {}

  @PublicRoute()
  @Post('token')
  @HttpCode(200)
  @Refuses({ 401: ['invalid_credentials'], 429: ['too_many_attempts'], 503: ['too_busy'] })
  @ApiOperation({ operationId: 'createAccessToken', summary: 'An access token for a script, by e-mail and password' })
  @ApiBody(schema('SignInInput'))
  @ApiOkResponse(schema('AccessToken'))
  async token(@Body() body: unknown, @Req() request: Request): Promise<AccessToken> {
    return this.accessToken(await this.signIns.token(this.attempt(body, request)));
  }

  @PublicRoute()
  @Post('sign-in')
  @HttpCode(200)
  @Refuses({ 401: ['invalid_credentials'], 429: ['too_many_attempts'], 503: ['too_busy'] })
  @ApiOperation({
    operationId: 'signIn',
    summary: 'Signs a browser in: an access token, and a refresh token in a cookie',
  })
  @ApiBody(schema('SignInInput'))
  @ApiOkResponse(schema('SignedInUser'))
  async signIn(
    @Body() body: unknown,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SignedInUser> {
    const { account, accessToken, refreshToken } = await this.signIns.signIn(this.attempt(body, request));
    this.cookie.set(response, refreshToken);
    return { ...this.accessToken(accessToken), user: { id: account.id, email: account.email, role: account.role } };
  }

  @PublicRoute()
  @Post('refresh')
  @HttpCode(200)
  @Refuses({ 401: ['invalid_refresh_token', 'refresh_token_reused'], 403: ['csrf_header_required'] })
  @ApiOperation({
    operationId: 'refreshAccessToken',
    summary: 'A new access token for the refresh token in the cookie, which is exchanged too',
  })
  @ApiHeader(csrfHeader)
  @ApiOkResponse(schema('AccessToken'))
  async refresh(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<AccessToken> {
    const token = this.cookie.read(request);
    if (token === undefined) throw invalidRefreshToken();
    const { accessToken, refreshToken } = await this.signIns.refresh(token);
    this.cookie.set(response, refreshToken);
    return this.accessToken(accessToken);
  }

  /** Public, since the cookie alone does; with an access token, its own session ends too. */
  @PublicRoute()
  @Post('sign-out')
  @HttpCode(204)
  @Refuses({
    401: ['credentials_required', 'invalid_api_key', 'invalid_token', 'misplaced_credentials'],
    403: ['csrf_header_required'],
  })
  @ApiOperation({ operationId: 'signOut', summary: 'Ends this session, by its access token or its cookie' })
  @ApiHeader({ ...csrfHeader, required: false })
  @ApiNoContentResponse()
  async signOut(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<void> {
    const refreshToken = this.cookie.read(request);
    const caller =
      request.headers.authorization === undefined ? undefined : await this.callers.resolve(request, 'rest');
    if (refreshToken === undefined && caller?.kind !== 'user') throw credentialsRequired();
    if (refreshToken !== undefined) await this.signIns.signOutByRefreshToken(refreshToken);
    if (caller?.kind === 'user') await this.signIns.signOut(caller);
    this.cookie.clear(response);
  }

  @PeopleOnly()
  @Post('sign-out-everywhere')
  @HttpCode(204)
  @ApiOperation({ operationId: 'signOutEverywhere', summary: 'Ends every session of the account, this one too' })
  @ApiNoContentResponse()
  async signOutEverywhere(
    @CurrentCaller() caller: Caller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    this.responses.spare(response);
    await this.signIns.signOutEverywhere(caller);
    this.cookie.clear(response);
  }

  private attempt(body: unknown, request: Request): SignInAttempt {
    return {
      ...parseInput(SignInInput, body),
      address: this.callers.addressOf(request),
      userAgent: request.headers['user-agent'] ?? '',
    };
  }

  private accessToken(token: string): AccessToken {
    return { token, expires_in: this.settings.accessTokenMinutes * 60, token_type: 'Bearer' };
  }
}
