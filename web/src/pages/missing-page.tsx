import { Alert, Container } from '@mantine/core';

/** For an address of the factory that no page stands at. */
export function MissingPage() {
  return (
    <Container component="main" size={420} py="xl">
      <Alert role="alert" title="There is no page at this address." color="red">
        Follow the link that you were given, whole, with everything after the #.
      </Alert>
    </Container>
  );
}
