import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import type { LinkDetails } from './account-link';

const shortestPassword = 12;
const submitLabel = {
  setup: 'Make the account',
  invitation: 'Make the account',
  reset: 'Set the password',
  confirm: 'Confirm the address',
};

/** E-mail where one is needed, and a password twice. */
export function AccountForm({
  link,
  onSubmit,
}: {
  link: LinkDetails;
  onSubmit: (values: { email: string; password: string }) => Promise<void>;
}) {
  const [email, setEmail] = useState(link.email ?? '');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [isSending, setSending] = useState(false);
  const needsEmail = link.kind === 'setup' || link.kind === 'invitation';
  const isDifferent = again !== '' && again !== password;
  const isReady = (!needsEmail || email !== '') && password.length >= shortestPassword && again === password;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    await onSubmit({ email, password });
    setSending(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        {needsEmail && (
          <TextInput
            label="E-mail"
            type="email"
            autoComplete="username"
            required
            readOnly={link.email !== null}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
        )}
        <PasswordInput
          label="New password"
          description={`At least ${shortestPassword} characters. A few words that do not belong together are good.`}
          autoComplete="new-password"
          required
          maxLength={256}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <PasswordInput
          label="The same password again"
          autoComplete="new-password"
          required
          maxLength={256}
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          error={isDifferent ? 'It is not the same.' : undefined}
        />
        <Button type="submit" loading={isSending} disabled={!isReady}>
          {submitLabel[link.kind]}
        </Button>
      </Stack>
    </form>
  );
}
