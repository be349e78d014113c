import type { AccountKey } from '#libs/platform';
import type { AccountEntity } from '../accounts/account.entity.js';
import type { IssuedInvitation } from '../admin/invitation.service.js';
import type { AccountLinkEntity } from '../links/account-link.entity.js';
import type { SignInEntity } from '../sign-in/sign-in.entity.js';
import type { CreatedInvitation, Invitation, LinkDetails, SessionSummary, CurrentKey, User } from './identity.dto.js';

export const userOf = ({ id, email, role, disabledAt, createdAt, lastSignedInAt }: AccountEntity): User => ({
  id,
  email,
  role,
  disabled: disabledAt !== null,
  created_at: createdAt.toISOString(),
  last_signed_in_at: lastSignedInAt?.toISOString() ?? null,
});

export const sessionOf = (
  { id, createdAt, refreshedAt, expiresAt, address, userAgent }: SignInEntity,
  currentId: string,
): SessionSummary => ({
  id,
  current: id === currentId,
  created_at: createdAt.toISOString(),
  refreshed_at: refreshedAt.toISOString(),
  expires_at: expiresAt.toISOString(),
  address,
  user_agent: userAgent,
});

export const currentKeyOf = ({ id, name, prefix, lastUsedAt }: AccountKey): CurrentKey => ({
  id,
  name,
  prefix,
  last_used_at: lastUsedAt?.toISOString() ?? null,
});

export const linkOf = ({ kind, email, expiresAt }: AccountLinkEntity): LinkDetails => ({
  kind,
  email,
  expires_at: expiresAt.toISOString(),
});

export const invitationOf = ({ id, email, role, createdAt, expiresAt }: AccountLinkEntity): Invitation => ({
  id,
  email,
  role,
  created_at: createdAt.toISOString(),
  expires_at: expiresAt.toISOString(),
});

export const createdInvitationOf = ({ id, url, expiresAt, isMailed }: IssuedInvitation): CreatedInvitation => ({
  id,
  url,
  expires_at: expiresAt.toISOString(),
  mailed: isMailed,
});
