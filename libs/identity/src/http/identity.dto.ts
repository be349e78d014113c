import { IsBoolean, IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { Doc, Out, schemaRef } from '#libs/platform';
import { Email } from '../accounts/email.js';
import { roles, type Role } from '../accounts/role.js';
import { linkKinds, type LinkKind } from '../links/account-link.entity.js';
import { longestPassword, shortestPassword } from '../passwords/password-rules.js';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const time = { type: 'string', format: 'date-time' };
const timeOrNull = { type: ['string', 'null'], format: 'date-time' };
const truth = { type: 'boolean' };
const role = { type: 'string', enum: [...roles] };
const listOf = (items: object) => ({ type: 'array', items });
const longestToken = 256;
const newPasswordDoc = `${shortestPassword} to ${longestPassword} characters; not the e-mail, and not one of the commonest.`;

export class SignInInput {
  @Email() email: string;
  @Doc('Password.') @IsString() @MinLength(1) @MaxLength(longestPassword) password: string;
}

export class SignUpInput {
  @Email() email: string;
  @Doc(newPasswordDoc) @IsString() @MaxLength(longestPassword) password: string;
  @Doc('Token of the invitation’s link.') @IsOptional() @IsString() @MaxLength(longestToken) invitation?: string;
}

export class SetUpInput {
  @Doc('Token of the link that the start of the factory printed.') @IsString() @MaxLength(longestToken) token: string;
  @Email() email: string;
  @Doc(newPasswordDoc) @IsString() @MaxLength(longestPassword) password: string;
}

export class LinkInput {
  @Doc('Token of the link.') @IsString() @MaxLength(longestToken) token: string;
}

export class ConfirmInput {
  @Doc('Token of the link.') @IsString() @MaxLength(longestToken) token: string;
  @Doc(newPasswordDoc) @IsString() @MaxLength(longestPassword) password: string;
}

export class ResetInput {
  @Doc('Token of the link.') @IsString() @MaxLength(longestToken) token: string;
  @Doc(newPasswordDoc) @IsString() @MaxLength(longestPassword) new_password: string;
}

export class ResetRequestInput {
  @Email() email: string;
}

export class ChangePasswordInput {
  @Doc('Password until now.') @IsString() @MinLength(1) @MaxLength(longestPassword) current_password: string;
  @Doc(newPasswordDoc) @IsString() @MaxLength(longestPassword) new_password: string;
  @IsOptional()
  @IsBoolean()
  @Doc('Revokes every API key of the account, too.', { default: false })
  revoke_keys: boolean = false;
}

export class CurrentKey {
  @Out('Id, for DELETE /api/mcp-keys/{id}.', text) id: string;
  @Out('What it is for.', text) name: string;
  @Out('Its first characters.', text) prefix: string;
  @Out('When it was last used; null: never.', timeOrNull) last_used_at: string | null;
}

export class PasswordChanged {
  @Out(
    'API keys that go on working for the account. Who changes a password because somebody knew it revokes those that are not theirs.',
    { type: 'array', items: schemaRef('CurrentKey') },
  )
  keys: CurrentKey[];
}

export class InviteInput {
  @IsOptional() @Email() email?: string;
  @Doc('Role of the account that is made.') @IsOptional() @IsIn(roles) role?: Role;
  @Doc('7 if not given.') @IsOptional() @IsInt() @Min(1) @Max(90) expires_in_days?: number;
}

export class ChangeUserInput {
  @Doc('Another role ends the sign-ins of the account.') @IsOptional() @IsIn(roles) role?: Role;
  @Doc('Disabling ends whatever the account has open, its API keys included.')
  @IsOptional()
  @IsBoolean()
  disabled?: boolean;
}

export class AccessToken {
  @Out('Access token, for “Authorization: Bearer …”.', text) token: string;
  @Out('Seconds that it is valid.', { type: 'integer' }) expires_in: number;
  @Out('How it is sent.', { type: 'string', enum: ['Bearer'] }) token_type: 'Bearer';
}

export class UserSummary {
  @Out('Id of the account.', text) id: string;
  @Out('E-mail address.', text) email: string;
  @Out('What it may do.', role) role: Role;
}

export class SignedInUser {
  @Out('Access token, for “Authorization: Bearer …”.', text) token: string;
  @Out('Seconds that it is valid.', { type: 'integer' }) expires_in: number;
  @Out('How it is sent.', { type: 'string', enum: ['Bearer'] }) token_type: 'Bearer';
  @Out('Who signed in.', schemaRef('UserSummary')) user: UserSummary;
}

export class User {
  @Out('Id of the account.', text) id: string;
  @Out('E-mail address.', text) email: string;
  @Out('What it may do.', role) role: Role;
  @Out('Whether it can be used.', truth) disabled: boolean;
  @Out('When the account was made.', time) created_at: string;
  @Out('When somebody signed in last.', timeOrNull) last_signed_in_at: string | null;
}

export class UserList {
  @Out('Accounts, the newest first.', listOf(schemaRef('User'))) users: User[];
  @Out('How many there are.', { type: 'integer' }) total: number;
}

export class SessionSummary {
  @Out('Id of the session.', text) id: string;
  @Out('Whether it is the one that asks.', truth) current: boolean;
  @Out('When somebody signed in.', time) created_at: string;
  @Out('When its token was refreshed last.', time) refreshed_at: string;
  @Out('When they must sign in again.', time) expires_at: string;
  @Out('Address that they signed in from.', text) address: string;
  @Out('Program that they signed in with, as it calls itself.', text) user_agent: string;
}

export class SessionList {
  @Out('Sessions that hold, the newest first.', listOf(schemaRef('SessionSummary'))) sessions: SessionSummary[];
  @Out('How many there are.', { type: 'integer' }) total: number;
}

export class AccountNotice {
  @Out('What happens now; the same whether there is an account or not.', text) message: string;
  @Out('What to do next.', text) hint: string;
}

export class LinkDetails {
  @Out('What the link is for.', { type: 'string', enum: [...linkKinds] }) kind: LinkKind;
  @Out('The only e-mail address it is for.', textOrNull) email: string | null;
  @Out('When its time is over.', time) expires_at: string;
}

export class IssuedAccountLink {
  @Out('The link. It is shown this once.', text) url: string;
  @Out('When its time is over.', time) expires_at: string;
}

export class CreatedInvitation {
  @Out('Id of the invitation.', text) id: string;
  @Out('The link. It is shown this once.', text) url: string;
  @Out('When its time is over.', time) expires_at: string;
  @Out('Whether the link is also on its way to the address by mail.', truth) mailed: boolean;
}

export class Invitation {
  @Out('Id of the invitation.', text) id: string;
  @Out('The only e-mail address it is for.', textOrNull) email: string | null;
  @Out('Role of the account that is made.', role) role: Role;
  @Out('When it was made.', time) created_at: string;
  @Out('When its time is over.', time) expires_at: string;
}

export class InvitationList {
  @Out('Invitations that can still be used, the newest first.', listOf(schemaRef('Invitation')))
  invitations: Invitation[];
  @Out('How many there are.', { type: 'integer' }) total: number;
}
