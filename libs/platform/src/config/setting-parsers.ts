/** How the text of a variable becomes a value; undefined stands for one that is unset or empty. Each throws an Error whose message completes the sentence "NAME …". */

export const fail = (message: string): never => {
  throw new Error(message);
};

export const text = (fallback: string) => (value?: string) => value ?? fallback;
export const optionalText = (value?: string) => value;
export const oneOf =
  <T extends string>(words: readonly T[], fallback: T) =>
  (value?: string): T =>
    value === undefined
      ? fallback
      : (words.find((word) => word === value) ?? fail(`must be one of ${words.join(', ')}, not "${value}"`));
export const integer =
  (min: number, max: number, fallback: number) =>
  (value?: string): number => {
    if (value === undefined) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max
      ? number
      : fail(`must be a whole number from ${min} to ${max}, not "${value}"`);
  };
/** undefined where it follows from the host. */
export const optionalInteger =
  (min: number, max: number) =>
  (value?: string): number | undefined =>
    value === undefined ? undefined : integer(min, max, min)(value);
export const list =
  (fallback: string[], check: (item: string) => boolean, what: string) =>
  (value?: string): string[] => {
    if (value === undefined) return fallback;
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
    const bad = items.find((item) => !check(item));
    return bad === undefined ? items : fail(`must be a comma-separated list of ${what}; "${bad}" is none`);
  };
export const httpUrl = (value: string | undefined): URL | undefined => {
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : fail('must be a URL such as https://factory.example');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') fail('must start with http:// or https://');
  if (url.search || url.hash) fail('must not hold a query or a fragment');
  return url;
};
