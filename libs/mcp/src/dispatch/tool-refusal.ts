import type { AppError } from '#libs/platform';
import { errorHeaders, type Violation } from '#libs/platform';
import { RpcCode, RpcError } from './json-rpc.js';

/**
 * The MCP mapper of a refusal: a result with `isError` that a model can read and act on (MCP 2025-11-25, Tools, Error Handling), and the
 * same for programs. No `structuredContent`: clients validate that against the tool's output schema and would throw.
 */
export function toolRefusal(error: AppError): object {
  const { reason, ...more } = refusalData(error);
  const details = {
    code: RpcCode.toolFailed,
    reason,
    message: error.message,
    ...more,
    ...(error.violations && { violations: error.violations }),
  };
  const sentences = [error.message, ...(error.violations ?? []).slice(0, 50).map(violationLine), error.hint].filter(
    Boolean,
  );
  return {
    isError: true,
    content: [
      { type: 'text', text: sentences.join('\n') },
      { type: 'text', text: JSON.stringify({ error: details }) },
    ],
    _meta: { error: details },
  };
}

/** What programs are told beside the message of a refusal, as a tool result or as `data` of a JSON-RPC error. */
export function refusalData(error: AppError): {
  reason: string;
  hint?: string;
  retryable: boolean;
  retry_after_seconds?: number;
} {
  const retryAfter = errorHeaders(error)['Retry-After'];
  return {
    reason: error.reason,
    ...(error.hint && { hint: error.hint }),
    retryable: error.retryable,
    ...(retryAfter && { retry_after_seconds: Number(retryAfter) }),
  };
}

/** A refusal of a method that is no tool call. */
export function rpcRefusal(error: AppError): RpcError {
  return new RpcError(RpcCode.refused, error.message, refusalData(error));
}

function violationLine({ path, message, suggestion }: Violation): string {
  return `- ${path || '/'}: ${message}${suggestion ? ` (did you mean "${suggestion}"?)` : ''}`;
}
