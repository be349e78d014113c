import { readFileSync } from 'node:fs';
import { duplexPair } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { AppError } from '#libs/platform';
import type { FakeGuestScript } from '../../libs/hypervisor/src/testing/fake-hypervisor.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { consoleFixture, FixtureVms } from '../support/console-fixture.module.js';
import { itWhere } from '../support/it-where.js';
import { postJson } from '../support/raw-client.js';
import { serveRfb, type RfbInput } from '../support/rfb-server.js';

let app: TestApp;
let vms: FixtureVms;
let browser: Browser | undefined;
const complaints: string[] = [];
beforeAll(async () => {
  app = await startTestApp({ consoleModule: consoleFixture() });
  vms = app.app.get(FixtureVms);
  if (hasBrowser) browser = await launchBrowser();
}, 120_000);
afterEach(() => expect(complaints.splice(0)).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await app.stop();
}, 60_000);

/** A VM whose screen is an RFB server of the test's own, and its console in a browser. */
async function opened(
  name: string,
  {
    viewOnly = false,
    change = (url) => url,
    script = {},
  }: { viewOnly?: boolean; change?: (url: string) => string; script?: FakeGuestScript } = {},
) {
  const { guest } = vms.add(name, script);
  const input: RfbInput = { keys: [], pointers: 0 };
  guest.openScreen = () => {
    const [ours, theirs] = duplexPair();
    serveRfb(theirs, input).catch(() => undefined);
    void guest.ended.then(() => ours.destroy());
    return Promise.resolve(ours);
  };
  const { url } = (await postJson(`${app.url}/api/vms/${name}/console-url`, { view_only: viewOnly })).json() as {
    url: string;
  };
  const page = await (browser as Browser).newPage();
  page.setDefaultTimeout(25_000);
  // A break of the content security policy is an error of the page's console; noVNC logs there too that a connection was closed.
  page.on(
    'console',
    (message) =>
      message.type() === 'error' && !message.text().includes('Connection closed') && complaints.push(message.text()),
  );
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(change(url));
  return { page, guest, input };
}

const status = (page: Page, text: string) => page.getByTestId('status').getByText(text, { exact: true }).waitFor();
const typed = ({ keys }: RfbInput) => keys.filter(({ down }) => down).map(({ keysym }) => keysym);

const itInBrowser = itWhere(hasBrowser, 'no chromium');

describe('the console’s page', () => {
  itInBrowser(
    'shows the screen and types into it',
    async () => {
      const { page, input } = await opened('shown');
      await status(page, 'Connected');
      expect(await page.title()).toContain('shown');
      expect(await page.getByRole('heading', { name: 'shown' }).count()).toBe(1);
      // Runs in the browser, whose names are unknown here.
      await page.waitForFunction(
        "document.querySelector('canvas')?.width === 320 && document.querySelector('canvas').getContext('2d').getImageData(10, 10, 1, 1).data[0] === 0x90",
      );
      await page.locator('canvas').click();
      await page.keyboard.type('aB');
      await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).click();
      for (const wanted of [0x61, 0x42, 0xffff]) while (!typed(input).includes(wanted)) await page.waitForTimeout(50);
      expect(input.pointers).toBeGreaterThan(0);
      await page.close();
    },
    60_000,
  );

  itInBrowser(
    'types a text by the layout of the guest, and says why where it cannot',
    async () => {
      const { de } = JSON.parse(
        readFileSync(new URL('../../libs/hypervisor/src/testing/keyboards.json', import.meta.url), 'utf8'),
      ) as { de: { x11: { firstKeycode: number; keysymsPerKeycode: number; keysyms: string } } };
      const { page, guest } = await opened('german', {
        script: {
          systemStates: ['running'],
          keyboard: { screen: 'x11', ...de.x11, keysyms: Buffer.from(de.x11.keysyms, 'base64') },
        },
      });
      guest.helper.type = () =>
        Promise.reject(new AppError({ kind: 'unavailable', reason: 'guest_helper_failed', message: 'graphical' }));
      await status(page, 'Connected');
      const box = page.getByLabel('Text to type into the VM');
      const type = async (text: string) => {
        await box.fill(text);
        await page.getByRole('button', { name: 'Type', exact: true }).click();
      };
      await page.getByRole('button', { name: 'Type text' }).click();
      await type('漢');
      await page.getByText('The text has characters that no key gives (漢)').waitFor();
      await type('z/\n');
      await box.waitFor({ state: 'hidden' });
      expect(guest.inputs.flat().flatMap((event) => (event.kind === 'key' && event.down ? event.key : []))).toEqual([
        'y',
        'shift',
        '7',
        'ret',
      ]);
      // The screen goes on: noVNC saw none of the answers.
      await status(page, 'Connected');
      await page.close();
    },
    60_000,
  );

  itInBrowser(
    'gives the keyboard back on Ctrl+Alt+Home',
    async () => {
      const { page } = await opened('left');
      await status(page, 'Connected');
      await page.locator('canvas').focus();
      await page.keyboard.press('Control+Alt+Home');
      await page.waitForFunction("document.activeElement?.tagName === 'BUTTON'");
      await page.close();
    },
    60_000,
  );

  itInBrowser(
    'lets a viewer only look',
    async () => {
      const { page, input } = await opened('viewed', { viewOnly: true });
      await status(page, 'Connected, view only');
      expect(await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).isDisabled()).toBe(true);
      expect(input).toEqual({ keys: [], pointers: 0 });
      await page.close();
    },
    60_000,
  );

  itInBrowser(
    'says that the VM has stopped, and connects again',
    async () => {
      const { page, guest } = await opened('stopped');
      await status(page, 'Connected');
      await guest.quit();
      await page.getByRole('alert').getByText('The VM has stopped').waitFor();
      await status(page, 'Ended');
      vms.forget((await vms.reach({} as never, 'stopped')).vm.id);
      await page.getByRole('button', { name: 'Connect again' }).click();
      await page.getByText('There is no such VM any more').waitFor();
      await page.close();
    },
    60_000,
  );

  itInBrowser(
    'says what is wrong with a link',
    async () => {
      const cut = await opened('cut', { change: (url) => url.replace(/#.*/, '') });
      await cut.page.getByText('This link is not whole').waitFor();
      await cut.page.close();
      const bent = await opened('bent', { change: (url) => url.replace('token=', 'token=A') });
      await bent.page.getByText('This link is not valid').waitFor();
      await bent.page.close();
    },
    60_000,
  );
});
