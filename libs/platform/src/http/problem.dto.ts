import { IsOptional } from 'class-validator';
import { mostViolations } from '../errors/app-error.js';
import { Out, schemaRef } from '../validation/json-schema.js';

const text = { type: 'string' };

export class ProblemViolation {
  @Out('JSON Pointer of what is wrong; empty for the whole.', text) path: string;
  @Out('Stable word for the rule.', text) code: string;
  @Out('What is wrong.', text) message: string;
  @IsOptional() @Out('What was probably meant.', text) suggestion?: string;
}

/** What problem.ts sends. */
export class Problem {
  @Out('Always about:blank (RFC 9457, 4.2.1).', text) type: string;
  @Out('The status in words.', text) title: string;
  @Out('HTTP status.', { type: 'integer' }) status: number;
  @Out('What is wrong.', text) detail: string;
  @Out('Stable word that programs may compare.', text) reason: string;
  @IsOptional() @Out('What to do about it.', text) hint?: string;
  @IsOptional()
  @Out('Every mistake in the input at once.', {
    type: 'array',
    items: schemaRef('ProblemViolation'),
    maxItems: mostViolations,
  })
  violations?: ProblemViolation[];
  @Out('Finds the request in the log.', text) request_id: string;
}
