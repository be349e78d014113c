/** What a link of an account is for, and how it is used: `/account#token=…`. The token is in the fragment, which the browser sends to nobody. */
export type LinkKind = 'setup' | 'invitation' | 'reset' | 'confirm';

export interface LinkDetails {
  kind: LinkKind;
  /** The only address it is for. */
  email: string | null;
}

export interface Outcome {
  isDone: boolean;
  title: string;
  advice: string;
}

export const readToken = (page: URL): string | undefined => new URLSearchParams(page.hash.slice(1)).get('token') ?? undefined;

export async function lookAtLink(token: string): Promise<LinkDetails | Outcome> {
  const { isOk, body } = await post('link', { token });
  return isOk ? (body as unknown as LinkDetails) : refused(body);
}

const useOf: Record<LinkKind, { path: string; fields: (token: string, email: string, password: string) => object; title: string }> = {
  setup: { path: 'setup', fields: (token, email, password) => ({ token, email, password }), title: 'The administrator’s account is made' },
  invitation: { path: 'sign-up', fields: (invitation, email, password) => ({ invitation, email, password }), title: 'Welcome' },
  reset: { path: 'reset', fields: (token, _, new_password) => ({ token, new_password }), title: 'The password is set' },
  confirm: { path: 'confirm', fields: (token, _, password) => ({ token, password }), title: 'The address is confirmed' },
};

export async function applyLink(kind: LinkKind, { token, email, password }: { token: string; email: string; password: string }): Promise<Outcome> {
  const { path, fields, title } = useOf[kind];
  const { isOk, body } = await post(path, fields(token, email, password));
  return isOk ? { isDone: true, title, advice: [body.message, body.hint].filter(Boolean).join(' ') || 'You can sign in with it now.' } : refused(body);
}

/** Answers and refusals (problem details, RFC 9457) of the factory. */
type Answer = Partial<Record<'message' | 'detail' | 'hint', string>>;

const refused = ({ detail = 'The factory did not answer as expected.', hint = '' }: Answer): Outcome => ({ isDone: false, title: detail, advice: hint });

async function post(path: string, fields: object): Promise<{ isOk: boolean; body: Answer }> {
  try {
    // Relative, since a factory may stand below a path of its public URL.
    const response = await fetch(new URL(`api/auth/${path}`, window.location.href), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(fields) });
    return { isOk: response.ok, body: response.status === 204 ? {} : ((await response.json()) as Answer) };
  } catch {
    return { isOk: false, body: { detail: 'The factory cannot be reached.', hint: 'Try again in a moment.' } };
  }
}
