import path from 'node:path';
import type { Response } from 'express';
import { productRoot } from '../config/product.js';
import { notFound } from '../errors/app-error.js';

const webRoot = path.join(productRoot, 'dist/web');
const yearMs = 31_536_000_000;

/** The one page of the web console: it tells by its own URL what to show. */
export function sendWebPage(response: Response): void {
  send(response, 'index.html', { root: webRoot, cacheControl: false });
}

/** A file of the page. Vite names them by their content, so they never change. */
export function sendWebAsset(response: Response, file: string): void {
  response.removeHeader('Cache-Control');
  send(response, file, { root: path.join(webRoot, 'assets'), maxAge: yearMs, immutable: true });
}

function send(response: Response, file: string, options: { root: string; immutable?: boolean; maxAge?: number; cacheControl?: boolean }): void {
  response.sendFile(file, { dotfiles: 'ignore', ...options }, (error) => {
    if (!error || response.headersSent) return;
    const { message } = notFound('page', file);
    response.status(404).type('text/plain').send(`${message} The web console is built with npm run build.\n`);
  });
}
