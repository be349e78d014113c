import '@mantine/core/styles.css';
import './page.css';
import { MantineProvider } from '@mantine/core';
import { createRoot } from 'react-dom/client';
import { readToken } from './account/account-link';
import { readConsoleLink } from './console/console-link';
import { AccountPage } from './pages/account-page';
import { ConsolePage } from './pages/console-page';

/** One page is served everywhere; its own URL says which it is. */
function Page({ url }: { url: URL }) {
  if (/\/console\/[^/]*$/.test(url.pathname)) return <ConsolePage link={readConsoleLink(url)} />;
  return <AccountPage token={readToken(url)} />;
}

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <MantineProvider defaultColorScheme="auto">
      <Page url={new URL(window.location.href)} />
    </MantineProvider>,
  );
}
