import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { clientSettingDefinitions, productRoot, settingDefinitions, type SettingDefinition } from '#libs/platform';

const row = ({ name, shownDefault, meaning, secret }: SettingDefinition<unknown>) =>
  `| \`${name}\` | ${shownDefault} | ${meaning}${secret ? ' *Secret: never logged.*' : ''} |`;
const table = (definitions: Record<string, SettingDefinition<unknown>>) =>
  ['| variable | default | meaning |', '|---|---|---|', ...Object.values(definitions).map(row)].join('\n');

const page = `# Configuration

The factory is configured by environment variables alone. They are validated at start: a wrong value stops the start with one sentence
that names every wrong variable; an unknown \`OPENFACTORY_…\` variable is a warning that names the nearest known one. Empty means unset.

## The factory (\`openfactory up\`)

${table(settingDefinitions)}

## Its command-line clients (\`openfactory mcp\`)

${table(clientSettingDefinitions)}

This page is made from \`libs/platform/src/config/definitions\`; \`UPDATE_DOCS=1 npm test -- arch\` writes it anew.
`;

it('docs/configuration.md tells what the code reads', async () => {
  const file = path.join(productRoot, 'docs/configuration.md');
  if (process.env.UPDATE_DOCS) await writeFile(file, page);
  expect(await readFile(file, 'utf8')).toBe(page);
});
