/** Whose fault a failure was. It decides who is told what: a caller is told how to mend it, an operator finds it in the log. */
export type Fault = 'caller' | 'system';

/**
 * What kind of refusal it is. The HTTP status follows from it; the `reason` is the finer, stable word.
 * Over MCP every kind with fault `caller` becomes a tool result with `isError`.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'wrong_state'
  | 'too_slow'
  | 'too_large'
  | 'unsupported_media_type'
  | 'quota'
  | 'unavailable'
  | 'internal';

/** One mistake in an input, addressed by a JSON Pointer (RFC 6901). */
export interface Violation {
  path: string;
  code: string;
  message: string;
  suggestion?: string;
}

/** An answer lists no more; whoever collects mistakes should stop long before. */
export const mostViolations = 500;

export interface AppErrorOptions {
  kind: ErrorKind;
  /** Stable snake_case word that programs may compare; never reused for another meaning. */
  reason: string;
  /** One sentence: what is wrong. Safe to show to the caller. */
  message: string;
  /** One sentence: what to do about it. */
  hint?: string;
  /** Whether the same request may succeed later without a change. */
  retryable?: boolean;
  retryAfterSeconds?: number;
  violations?: Violation[];
  cause?: unknown;
}

/** The one error family. Two mappers turn it into answers: `http/problem.filter.ts` and the gateway's `dispatch/tool-refusal.ts`. */
export class AppError extends Error {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
  readonly violations: Violation[] | undefined;

  constructor(options: AppErrorOptions) {
    super(options.message, { cause: options.cause });
    this.name = 'AppError';
    this.kind = options.kind;
    this.reason = options.reason;
    this.hint = options.hint;
    this.retryable = options.retryable ?? (options.kind === 'unavailable' || options.kind === 'quota');
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.violations = options.violations?.slice(0, mostViolations);
  }

  get fault(): Fault {
    return this.kind === 'internal' || this.kind === 'unavailable' ? 'system' : 'caller';
  }
}

export function notFound(noun: string, id: string, hint?: string): AppError {
  return new AppError({
    kind: 'not_found',
    reason: `${noun.replaceAll(' ', '_')}_not_found`,
    message: `There is no ${noun} "${clip(id)}".`,
    hint,
  });
}

export function invalid(reason: string, message: string, hint?: string): AppError {
  return new AppError({ kind: 'invalid', reason, message, hint });
}

export function invalidArguments(violations: Violation[]): AppError {
  const first = violations[0];
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  return new AppError({
    kind: 'invalid',
    reason: 'invalid_arguments',
    message: first ? `${first.path || '/'}: ${first.message}${more}` : 'The input does not fit the schema.',
    hint: 'Correct every path in violations and send the request again.',
    violations,
  });
}

/** Text of a stranger, made fit for one line of a message: control characters out, length bounded. */
export function clip(text: string, max = 80): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
  return line.length > max ? `${line.slice(0, max)}…` : line;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
