import type { ByteRange } from '#libs/artifacts';

/**
 * The part that a Range header asks for (RFC 9110, 14.2). Undefined: the whole, also for several ranges at once and for what is no
 * range of bytes, which a server may ignore.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const end = sizeBytes - 1;
  if (from === '')
    return Number(to) === 0 || sizeBytes === 0
      ? 'unsatisfiable'
      : { first: Math.max(0, sizeBytes - Number(to)), last: end };
  const range = { first: Number(from), last: to === '' ? end : Math.min(end, Number(to)) };
  if (to !== '' && Number(to) < range.first) return undefined;
  return range.first > end ? 'unsatisfiable' : range;
}
