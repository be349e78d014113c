import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { notFound, productRoot } from '#libs/platform';

const webRoot = path.join(productRoot, 'dist/web');
const yearMs = 31_536_000_000;

/** What Vite built of `web`. */
@Injectable()
export class WebFiles {
  #page: Promise<string> | undefined;

  /** Never kept by a browser: it names the files of this version. */
  async sendPage(request: Request, response: Response): Promise<void> {
    this.#page ??= readFile(path.join(webRoot, 'index.html'), 'utf8');
    try {
      response.type('html').send(withBase(await this.#page, request.path));
    } catch (error) {
      this.#page = undefined;
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw notFound('page', 'index.html', 'The web console is built with npm run build.');
    }
  }

  /** Named by its content, so that it never changes. */
  sendAsset(response: Response, file: string): void {
    response.removeHeader('Cache-Control');
    response.sendFile(
      file,
      { root: path.join(webRoot, 'assets'), dotfiles: 'ignore', maxAge: yearMs, immutable: true },
      (error) => {
        if (!error || response.headersSent) return;
        response
          .set('Cache-Control', 'no-store')
          .status(404)
          .type('text/plain')
          .send(`${notFound('page', file).message}\n`);
      },
    );
  }
}

/**
 * The one place that knows where the page stands: everything in it is relative to the factory's root, which is as many steps up as its own address is deep. So it
 * holds below whatever path a proxy puts in front, too.
 */
export function withBase(page: string, pathname: string): string {
  const depth = pathname.split('/').length - 2;
  return page.replace('<head>', `<head>\n    <base href="${'../'.repeat(depth) || './'}" />`);
}
