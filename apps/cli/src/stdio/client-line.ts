export type MessageId = string | number;

/** What a line of the client asks for, as far as its answers are concerned. */
export interface ClientLine {
  text: string;
  /** Of every request in it; a batch may hold several. */
  ids: MessageId[];
  /** Nobody can tell what it is, so its error has the id null. */
  isUnreadable: boolean;
  isInitialize: boolean;
  /** The request that it cancels, which needs no answer any more. */
  cancels: MessageId | undefined;
}

export function readClientLine(text: string): ClientLine {
  const value = parsed(text);
  const messages = Array.isArray(value) ? value.map(asObject) : [asObject(value)];
  const ids = messages.flatMap((message) => (message && 'method' in message && isId(message.id) ? [message.id] : []));
  const single = Array.isArray(value) ? undefined : messages[0];
  const cancelled = single?.method === 'notifications/cancelled' ? asObject(single.params)?.requestId : undefined;
  return {
    text,
    ids: [...new Set(ids)],
    isUnreadable: !messages.some(
      (message) => message && ('method' in message ? !('id' in message) || isId(message.id) : isAnswer(message)),
    ),
    isInitialize: single?.method === 'initialize' && ids.length === 1,
    cancels: isId(cancelled) ? cancelled : undefined,
  };
}

export type JsonObject = Record<string, unknown>;

export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
export const asObject = (value: unknown): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
export const isId = (value: unknown): value is MessageId => typeof value === 'string' || typeof value === 'number';
export const isAnswer = (message: JsonObject): boolean =>
  !('method' in message) && 'id' in message && ('result' in message || 'error' in message);
