import { Alert, Container, Loader, Stack, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import { AccountForm } from '../account/account-form';
import { applyLink, lookAtLink, type LinkDetails, type Outcome } from '../account/account-link';

const titles = {
  setup: 'Set up OpenFactory',
  invitation: 'Make your account',
  reset: 'Set a new password',
  confirm: 'Confirm your address',
};
const withoutToken: Outcome = {
  isDone: false,
  title: 'This link is not complete.',
  advice: 'Copy it whole, with everything after the #.',
};

/** What a link of an account leads to. */
export function AccountPage({ token }: { token: string | undefined }) {
  const [link, setLink] = useState<LinkDetails>();
  const [outcome, setOutcome] = useState<Outcome | undefined>(token === undefined ? withoutToken : undefined);
  useEffect(() => {
    if (token === undefined) return;
    void lookAtLink(token).then((found) => ('kind' in found ? setLink(found) : setOutcome(found)));
  }, [token]);
  const title = link ? titles[link.kind] : 'OpenFactory';
  useEffect(() => {
    document.title = title;
  }, [title]);

  return (
    <Container component="main" size={420} py="xl">
      <Stack>
        <Title order={1} size="h3">
          {title}
        </Title>
        {!link && !outcome && <Loader aria-label="Looking at the link" />}
        {outcome && (
          <Alert role="alert" title={outcome.title} color={outcome.isDone ? 'green' : 'red'}>
            {outcome.advice}
          </Alert>
        )}
        {link && token !== undefined && !outcome?.isDone && (
          <AccountForm
            link={link}
            onSubmit={async (values) => setOutcome(await applyLink(link.kind, { token, ...values }))}
          />
        )}
      </Stack>
    </Container>
  );
}
