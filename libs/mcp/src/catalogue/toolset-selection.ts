import type { IncomingMessage } from 'node:http';
import { AppError, clip } from '#libs/platform';

/** What part of the catalogue a session sees. */
export interface ToolsetSelection {
  /** undefined: all of them */
  toolsets: readonly string[] | undefined;
  readOnly: boolean;
}

/**
 * Reads `?toolsets=a,b` / `X-MCP-Toolsets` and `?readonly=1` / `X-MCP-Readonly`. Where both a query and a header are given they narrow
 * each other: the narrower always wins.
 * @throws AppError `unknown_toolset` that lists the known ones
 */
export function readSelection(request: IncomingMessage, known: readonly string[]): ToolsetSelection {
  const query = new URLSearchParams(request.url?.split('?', 2)[1] ?? '');
  const lists = [query.get('toolsets'), header(request, 'x-mcp-toolsets')].filter(
    (text) => text !== null && text !== undefined && text.trim() !== '',
  );
  const selected = lists
    .map((text) => readList(text ?? '', known))
    .reduce<readonly string[] | undefined>(
      (all, list) => all?.filter((name) => list.includes(name)) ?? list,
      undefined,
    );
  const readOnly = isYes(query.get('readonly')) || isYes(header(request, 'x-mcp-readonly'));
  return { toolsets: selected, readOnly };
}

function readList(text: string, known: readonly string[]): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
  if (names.includes('all')) return [...known];
  const unknown = names.filter((name) => !known.includes(name));
  if (!unknown.length) return names;
  throw new AppError({
    kind: 'invalid',
    reason: 'unknown_toolset',
    message: `There is no toolset ${unknown.map((name) => `"${clip(name)}"`).join(', ')}.`,
    hint: `The toolsets are: ${known.join(', ')}.`,
  });
}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
};

function isYes(text: string | null | undefined): boolean {
  const word = text?.trim().toLowerCase() ?? 'no';
  if (['1', 'true', 'yes', ''].includes(word)) return true;
  if (['0', 'false', 'no'].includes(word)) return false;
  throw new AppError({
    kind: 'invalid',
    reason: 'invalid_readonly',
    message: `"${clip(word)}" does not say whether the session is read-only.`,
    hint: 'Use readonly=1 or readonly=0.',
  });
}
