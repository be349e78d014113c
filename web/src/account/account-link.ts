import { post, type Answer, type Refusal, type Schema } from '../api/client';

/** What a link of an account is for, and how it is used: `/account#token=…`. The token is in the fragment, which the browser sends to nobody. */
export type LinkDetails = Schema<'LinkDetails'>;
type LinkKind = LinkDetails['kind'];

export interface Outcome {
  isDone: boolean;
  title: string;
  advice: string;
}

interface LinkValues {
  token: string;
  email: string;
  password: string;
}

export const readToken = (page: URL): string | undefined =>
  new URLSearchParams(page.hash.slice(1)).get('token') ?? undefined;

export async function lookAtLink(token: string): Promise<LinkDetails | Outcome> {
  const answer = await post('/api/auth/link', { token });
  return answer.isOk ? answer.body : refused(answer.refusal);
}

const useOf: Record<
  LinkKind,
  { send: (values: LinkValues) => Promise<Answer<Schema<'AccountNotice'> | undefined>>; title: string }
> = {
  setup: { send: (values) => post('/api/auth/setup', values), title: 'The administrator’s account is made' },
  invitation: {
    send: ({ token, ...values }) => post('/api/auth/sign-up', { ...values, invitation: token }),
    title: 'Welcome',
  },
  reset: {
    send: ({ token, password }) => post('/api/auth/reset', { token, new_password: password }),
    title: 'The password is set',
  },
  confirm: {
    send: ({ token, password }) => post('/api/auth/confirm', { token, password }),
    title: 'The address is confirmed',
  },
};

export async function applyLink(kind: LinkKind, values: LinkValues): Promise<Outcome> {
  const { send, title } = useOf[kind];
  const answer = await send(values);
  if (!answer.isOk) return refused(answer.refusal);
  return {
    isDone: true,
    title,
    advice: answer.body ? `${answer.body.message} ${answer.body.hint}` : 'You can sign in with it now.',
  };
}

const refused = ({ detail, hint = '' }: Refusal): Outcome => ({ isDone: false, title: detail, advice: hint });
