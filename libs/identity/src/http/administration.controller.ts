import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentCaller, OpenResponses, parseInput, PeopleOnly, Refuses, type Caller } from '#libs/platform';
import { AdministrationService } from '../admin/administration.service.js';
import { InvitationService } from '../admin/invitation.service.js';
import { accountIdOf } from '../sign-in/own-sign-in.js';
import { createdInvitationOf, invitationOf, userOf } from './identity-answers.js';
import {
  ChangeUserInput,
  InviteInput,
  type CreatedInvitation,
  type InvitationList,
  type IssuedAccountLink,
  type User,
  type UserList,
} from './identity.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

@ApiTags('administration')
@PeopleOnly('admins')
@Controller('api/admin')
export class AdministrationController {
  constructor(
    private readonly administration: AdministrationService,
    private readonly invitations: InvitationService,
    private readonly responses: OpenResponses,
  ) {}

  @Get('users')
  @ApiOperation({ operationId: 'listUsers', summary: 'Every account, the newest first' })
  @ApiOkResponse(schema('UserList'))
  async users(): Promise<UserList> {
    const users = (await this.administration.list()).map(userOf);
    return { users, total: users.length };
  }

  @Patch('users/:id')
  @Refuses({ 404: ['user_not_found'], 409: ['last_administrator'] })
  @ApiOperation({ operationId: 'changeUser', summary: 'Changes the role of an account, disables or enables it' })
  @ApiParam({ name: 'id', type: String })
  @ApiBody(schema('ChangeUserInput'))
  @ApiOkResponse(schema('User'))
  async changeUser(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<User> {
    if (id === accountIdOf(caller)) this.responses.spare(response);
    return userOf(await this.administration.change(id, parseInput(ChangeUserInput, body)));
  }

  @Post('users/:id/reset-link')
  @Refuses({ 404: ['user_not_found'], 409: ['user_disabled'] })
  @ApiOperation({
    operationId: 'createResetLink',
    summary: 'A link to set the password of an account; older ones do nothing any more',
  })
  @ApiParam({ name: 'id', type: String })
  @ApiCreatedResponse(schema('IssuedAccountLink'))
  async resetLink(@Param('id') id: string): Promise<IssuedAccountLink> {
    const { url, expiresAt } = await this.administration.resetLink(id);
    return { url, expires_at: expiresAt.toISOString() };
  }

  @Post('invitations')
  @Refuses({ 403: ['sign_up_closed'] })
  @ApiOperation({
    operationId: 'createInvitation',
    summary: 'A link by which somebody makes an account; it is shown once',
  })
  @ApiBody(schema('InviteInput'))
  @ApiCreatedResponse(schema('CreatedInvitation'))
  async invite(@Body() body: unknown): Promise<CreatedInvitation> {
    const { expires_in_days: expiresInDays, ...invitation } = parseInput(InviteInput, body ?? {});
    return createdInvitationOf(
      await this.invitations.invite({ ...invitation, ...(expiresInDays !== undefined && { expiresInDays }) }),
    );
  }

  @Get('invitations')
  @ApiOperation({ operationId: 'listInvitations', summary: 'Invitations that can still be used' })
  @ApiOkResponse(schema('InvitationList'))
  async listInvitations(): Promise<InvitationList> {
    const invitations = (await this.invitations.list()).map(invitationOf);
    return { invitations, total: invitations.length };
  }

  @Delete('invitations/:id')
  @HttpCode(204)
  @Refuses({ 404: ['invitation_not_found'] })
  @ApiOperation({ operationId: 'deleteInvitation', summary: 'Takes an invitation back' })
  @ApiParam({ name: 'id', type: String })
  @ApiNoContentResponse()
  async withdraw(@Param('id') id: string): Promise<void> {
    await this.invitations.withdraw(id);
  }
}
