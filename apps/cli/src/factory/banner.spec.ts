import { describe, expect, it } from '@jest/globals';
import { loadSettings } from '#libs/platform';
import { banner } from './banner.js';

const said = (environment: Record<string, string>, boundPort?: number) => {
  const { settings } = loadSettings({ OPENFACTORY_DATA_DIR: '/srv/of', ...environment });
  if (boundPort !== undefined) settings.boundTo(boundPort);
  return banner(settings);
};
const lineOf = (text: string, name: string) =>
  text
    .split('\n')
    .find((line) => line.trim().startsWith(name))
    ?.replace(/.*?\s{2,}(?=\S)/g, '');

describe('the banner', () => {
  it.each([
    ['nothing set', {}, 'http://127.0.0.1:3000', '127.0.0.1:3000'],
    [
      'every IPv4 address',
      { OPENFACTORY_HOST: '0.0.0.0' },
      'http://127.0.0.1:3000',
      '0.0.0.0:3000, every IPv4 address of this machine',
    ],
    ['every address', { OPENFACTORY_HOST: '::' }, 'http://127.0.0.1:3000', '[::]:3000, every address of this machine'],
    ['an IPv6 address', { OPENFACTORY_HOST: '::1', OPENFACTORY_PORT: '8080' }, 'http://[::1]:8080', '[::1]:8080'],
    [
      'a proxy with a path',
      { OPENFACTORY_PUBLIC_URL: 'https://factory.example/of/' },
      'https://factory.example/of',
      '127.0.0.1:3000',
    ],
  ])('names the addresses that are used: %s', (_case, environment, url, listening) => {
    const text = said(environment);
    expect(lineOf(text, 'MCP, Streamable HTTP')).toBe(`${url}/api/mcp`);
    expect(lineOf(text, 'API documentation')).toBe(`${url}/api/docs`);
    expect(lineOf(text, 'Listening on')).toBe(listening);
    expect(text).toContain(`claude mcp add --transport sse openfactory ${url}/api/mcp/sse`);
    expect(text).toMatch(new RegExp(`OPENFACTORY_URL=\\S+ /.*/bin/openfactory mcp`));
  });

  it('names the port that was bound where any would do', () => {
    const text = said({ OPENFACTORY_PORT: '0' }, 41_234);
    expect(lineOf(text, 'Listening on')).toBe('127.0.0.1:41234');
    expect(text).not.toContain(':0');
  });

  it('names no address where nothing answers', () => {
    expect(said({ OPENFACTORY_ROLES: 'worker' })).not.toContain('http');
  });
});
