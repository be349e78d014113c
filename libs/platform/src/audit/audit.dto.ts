import { Type } from 'class-transformer';
import { IsInt, IsISO8601, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { Doc, Out, schemaRef } from '../validation/json-schema.js';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };

/** Which entries. */
export class AuditFilterInput {
  @IsOptional() @IsISO8601({ strict: true }) @Doc('Not before this time.') since?: string;
  @IsOptional() @IsISO8601({ strict: true }) @Doc('Before this time.') until?: string;
  @IsOptional() @IsString() @MaxLength(200) @Doc('Of this owner: address:… or user:….') owner?: string;
  @IsOptional()
  @IsString()
  @MaxLength(200)
  @Doc('Of this principal: key:…, session:…, address:…, or host:….')
  principal?: string;
  @IsOptional()
  @IsString()
  @MaxLength(200)
  @Doc('operationId of a route, name of a tool, authenticate, open_console, admin_…, audit_gap.')
  action?: string;
  @IsOptional() @IsString() @MaxLength(200) @Doc('Id of what it was done to.') object?: string;
  @IsOptional() @IsString() @MaxLength(200) @Doc('ok, or the reason of a refusal.') result?: string;
  @IsOptional() @IsString() @MaxLength(200) @Doc('Client address.') address?: string;
}

export class AuditListInput extends AuditFilterInput {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  @Doc('At most so many, the newest first.', { default: 100 })
  limit: number = 100;
  @IsOptional()
  @Matches(/^\d{1,18}$/)
  @Doc('Only entries older than this id, which is next of the page before.')
  before?: string;
}

export class AuditEntry {
  @Out('Id, which grows with time.', text) id: string;
  @Out('When.', { type: 'string', format: 'date-time' }) at: string;
  @Out('anonymous, user, key, or host at the command line; null where nobody knows who it was.', textOrNull)
  caller_kind: string | null;
  @Out('Whose things it is about.', textOrNull) owner_id: string | null;
  @Out('Who exactly.', textOrNull) principal_id: string | null;
  @Out('Id of the API key.', textOrNull) key_id: string | null;
  @Out('Client address.', textOrNull) address: string | null;
  @Out('rest, mcp, console or cli; null for what the log says of itself.', textOrNull) edge: string | null;
  @Out('What.', text) action: string;
  @Out('On what.', textOrNull) object: string | null;
  @Out('ok, or the reason of the refusal.', text) result: string;
  @Out('Id of the request, as in the log.', textOrNull) request_id: string | null;
}

export class AuditPage {
  @Out('Entries, the newest first.', { type: 'array', items: schemaRef('AuditEntry') }) entries: AuditEntry[];
  @Out('Give it as before for the next page; null: this is the last.', textOrNull) next: string | null;
}
