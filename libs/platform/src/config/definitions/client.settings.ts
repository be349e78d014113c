import { define } from '../setting-definition.js';
import { httpUrl, optionalText } from '../setting-parsers.js';

/** Read by the clients of a factory (`openfactory mcp`, `openfactory demo`), not by the factory itself. */
export const clientSettings = {
  url: define({
    name: 'OPENFACTORY_URL',
    meaning: 'The factory that the command-line clients talk to.',
    shownDefault: 'http://127.0.0.1:3000',
    parse: (value?: string) => httpUrl(value) ?? new URL('http://127.0.0.1:3000'),
  }),
  apiKey: define({
    name: 'OPENFACTORY_API_KEY',
    meaning: 'The API key they send.',
    shownDefault: 'none (anonymous)',
    secret: true,
    parse: optionalText,
  }),
} as const;
