/**
 * A line of sources.list(5), `deb [options] uri suite component…`, as the object form. Options are kept as fields, so that one
 * that the recipe does not allow (`trusted=yes`) is refused by its name instead of being lost.
 */
export function readRepositoryLine(entry: unknown): unknown {
  if (typeof entry !== 'string' || entry.length > 4096) return entry;
  const [, options = '', uri, suite, rest = ''] =
    /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*$/.exec(entry) ?? [];
  if (!uri) return entry;
  const fields = options
    .split(/\s+/)
    .filter(Boolean)
    .map((option) => {
      const [name = '', ...value] = option.split('=');
      return [name === 'signed-by' ? 'signed_by' : name, value.join('=')] as const;
    });
  return { ...Object.fromEntries(fields), uri, suite, components: rest.split(/\s+/).filter(Boolean) };
}
