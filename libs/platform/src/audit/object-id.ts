/** Where several ids are given, the first of these names what was acted on: a VM is made from a build, a build from a recipe. */
const fields = ['vm_name', 'build_id', 'recipe_id', 'id'] as const;
/** Ids of the call, not of what it was about. */
const ofTheCall = new Set(['request_id', 'session_id', 'client_id']);

/** The id that an input or an answer names its object by. */
export function objectIdIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const given = value as Record<string, unknown>;
  const name =
    fields.find((field) => typeof given[field] === 'string') ??
    Object.keys(given).find((key) => key.endsWith('_id') && !ofTheCall.has(key) && typeof given[key] === 'string');
  return name === undefined ? undefined : (given[name] as string);
}

/** The ids in the path of a route; a parameter that may be a secret, such as a token, is none. */
export function objectIdOfRoute(parameters: Record<string, unknown>): string | undefined {
  const ids = Object.entries(parameters).flatMap(([name, value]) =>
    /^(id|name|snapshot)$|_?(id|name)$/i.test(name) && typeof value === 'string' ? [value] : [],
  );
  return ids.length ? ids.join('/') : undefined;
}
