/** An address of the factory, which may stand below a path: the page's <base> says where (web-files.ts). */
export const fromRoot = (path: string): URL => new URL(path.replace(/^\//, ''), document.baseURI);
