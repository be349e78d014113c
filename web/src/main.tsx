import '@mantine/core/styles.css';
import './page.css';
import { MantineProvider } from '@mantine/core';
import { createRoot } from 'react-dom/client';
import { readConsoleLink } from './console/console-link';
import { ConsolePage } from './pages/console-page';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <MantineProvider defaultColorScheme="auto">
      <ConsolePage link={readConsoleLink(new URL(window.location.href))} />
    </MantineProvider>,
  );
}
