import type { Caller } from '#libs/platform';

/** The account that a caller of a route for people is. */
export const accountIdOf = ({ ownerId }: Caller): string => idIn('user', ownerId);
/** The sign-in that they came with. */
export const signInIdOf = ({ principalId }: Caller): string => idIn('session', principalId);

function idIn(kind: string, text: string): string {
  if (text.startsWith(`${kind}:`)) return text.slice(kind.length + 1);
  throw new Error(`The caller is no ${kind}: the route is not marked PeopleOnly.`);
}
