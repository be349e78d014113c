import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Doc, Out, schemaRef } from '#libs/platform';

const text = { type: 'string' } as const;
const time = { ...text, format: 'date-time' } as const;
const timeOrNull = { type: ['string', 'null'], format: 'date-time' } as const;
/** One line that shows something: no control characters, no line or paragraph separators, not only spaces. */
const line = /^(?! *$)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/;

export class CreateMcpKeyInput {
  @IsString()
  @MaxLength(100)
  @Matches(line, { message: 'must be one line of text without control characters' })
  @Doc('What the key is for, such as the client that will use it.')
  name: string;
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(3650)
  @Doc('Days after which the key is not valid any more. Left out: it does not expire.')
  expires_in_days?: number;
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  @Doc('The only toolsets that the key may use. Left out: all.')
  toolsets?: string[];
  @IsOptional() @IsBoolean() @Doc('The key may look, but not change anything.', { default: false }) read_only: boolean =
    false;
}

export class McpKey {
  @Out('Id, for its revocation.', { ...text, format: 'uuid' }) id: string;
  @Out('What it is for.', text) name: string;
  @Out('Its first characters, to tell it from others.', text) prefix: string;
  @Out('The only toolsets that it may use; null: all.', { type: ['array', 'null'], items: text }) toolsets:
    string[] | null;
  @Out('Whether it may only look.', { type: 'boolean' }) read_only: boolean;
  @Out('When it was made.', time) created_at: string;
  @Out('When it ends or ended by time; null: never.', timeOrNull) expires_at: string | null;
  @Out('When it was last used, up to some seconds late; null: never.', timeOrNull) last_used_at: string | null;
  @Out('The address it was last used from (IPv6: its /64).', { type: ['string', 'null'] }) last_used_from:
    string | null;
}

export class CreatedMcpKey extends McpKey {
  @Out('The key. It is shown this once and kept nowhere; send it as "Authorization: Bearer …".', text) key: string;
}

export class McpKeyList {
  @Out('The newest first, without those that were revoked.', { type: 'array', items: schemaRef('McpKey') })
  keys: McpKey[];
  @Out('How many there are.', { type: 'integer' }) total: number;
}
