import '@mantine/core/styles.css';
import './page.css';
import { MantineProvider } from '@mantine/core';
import { createRoot } from 'react-dom/client';
import { readToken } from './account/account-link';
import { fromRoot } from './api/from-root';
import { readConsoleLink } from './console/console-link';
import { AccountPage } from './pages/account-page';
import { MissingPage } from './pages/missing-page';
import { ConsolePage } from './pages/console-page';

/** One page is served everywhere; its own URL says which it is. */
function Page({ url }: { url: URL }) {
  const path = url.pathname.slice(fromRoot('/').pathname.length);
  if (/^console\/[^/]+$/.test(path)) return <ConsolePage link={readConsoleLink(url)} />;
  if (path === 'account') return <AccountPage token={readToken(url)} />;
  return <MissingPage />;
}

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <MantineProvider defaultColorScheme="auto">
      <Page url={new URL(window.location.href)} />
    </MantineProvider>,
  );
}
