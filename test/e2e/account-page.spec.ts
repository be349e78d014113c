import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { startTestApp, type TestApp } from '../support/app.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { itWhere } from '../support/it-where.js';
import { postJson } from '../support/raw-client.js';

const password = 'four unlikely words here';
const itInBrowser = itWhere(hasBrowser, 'no chromium');
const complaints: string[] = [];
let app: TestApp;
let browser: Browser | undefined;

beforeAll(async () => {
  app = await startTestApp();
  if (hasBrowser) browser = await launchBrowser();
}, 120_000);
afterEach(() => expect(complaints.splice(0)).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await app.stop();
}, 60_000);

async function opened(url: string): Promise<Page> {
  const page = await (browser as Browser).newPage();
  page.setDefaultTimeout(25_000);
  page.on(
    'console',
    (message) =>
      message.type() === 'error' && !message.text().includes('400 (Bad Request)') && complaints.push(message.text()),
  );
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return page;
}
const token = async (email: string) =>
  (await postJson(`${app.url}/api/auth/token`, { email, password })).json() as { token: string };
const fillPasswords = async (page: Page) => {
  await page.getByLabel('New password').fill(password);
  await page.getByLabel('The same password again').fill(password);
};

describe('the page that links of accounts lead to', () => {
  itInBrowser('makes the first administrator by the link that the start printed, once', async () => {
    const page = await opened(app.setUpUrl ?? '');
    await page.getByRole('heading', { name: 'Set up OpenFactory' }).waitFor();
    await page.getByLabel('E-mail').fill('root@example.org');
    await page.getByLabel('New password').fill(password);
    await page.getByLabel('The same password again').fill('something else');
    expect(await page.getByRole('button', { name: 'Make the account' }).isDisabled()).toBe(true);
    await fillPasswords(page);
    await page.getByRole('button', { name: 'Make the account' }).click();
    await page.getByRole('alert').getByText('The administrator’s account is made').waitFor();
    expect((await token('root@example.org')).token).toEqual(expect.any(String));
    const again = await opened(app.setUpUrl ?? '');
    await again.getByRole('alert').getByText('This link is not valid').waitFor();
  });

  itInBrowser('makes an account by an invitation, for its address alone', async () => {
    const { token: admin } = await token('root@example.org');
    const { url } = (
      await postJson(
        `${app.url}/api/admin/invitations`,
        { email: 'ada@example.org' },
        { headers: { authorization: `Bearer ${admin}` } },
      )
    ).json() as { url: string };
    const page = await opened(url);
    await page.getByRole('heading', { name: 'Make your account' }).waitFor();
    expect(await page.getByLabel('E-mail').inputValue()).toBe('ada@example.org');
    await fillPasswords(page);
    await page.getByRole('button', { name: 'Make the account' }).click();
    await page.getByRole('alert').getByText('Welcome').waitFor();
    expect((await token('ada@example.org')).token).toEqual(expect.any(String));
  });

  itInBrowser('says so where the link is cut off', async () => {
    const page = await opened(`${app.url}/account`);
    await page.getByRole('alert').getByText('This link is not complete.').waitFor();
  });
});
