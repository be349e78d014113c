import { splitSpec } from '../check-packages.js';
import { absolutePath } from '../../schema/text-rules.js';
import { objects, text, texts } from '../draft.js';
import { reportDuplicates, type Rule } from './rule.js';

export const packageRules: Rule = ({ draft, findings }) => {
  const overrides = objects(draft, 'package_overrides');
  const named = texts(draft, 'packages').map(({ value, path }) => ({ key: splitSpec(value).name, path, spec: value }));
  const specs = new Set<string>();
  // The same text twice is told by the schema.
  reportDuplicates(
    named.filter(({ spec }) => !specs.has(spec) && specs.add(spec)),
    (path, name) => findings.error(path, 'duplicate_package', `The package ${name} is asked for in two versions.`),
  );
  reportDuplicates(
    overrides.map(({ value, path }) => ({ key: text(value, 'name'), path: `${path}/name` })),
    (path, name) => findings.error(path, 'duplicate_override', `The package ${name} is overridden twice.`),
  );
  const requested = new Set(named.map(({ key }) => key));
  for (const { value, path } of overrides) {
    const [name, action, replacement] = [text(value, 'name'), text(value, 'action'), text(value, 'replacement')];
    if (action === 'replace' && replacement === undefined)
      findings.error(`${path}/replacement`, 'replacement_missing', 'replace needs the package to install instead.');
    if (action !== 'replace' && action !== undefined && replacement !== undefined)
      findings.error(`${path}/replacement`, 'replacement_unused', `${action} takes no replacement.`);
    if (action === 'remove' && name !== undefined && requested.has(name))
      findings.error(
        `${path}/name`,
        'package_contradiction',
        `The package ${name} is asked for in packages and removed here.`,
      );
  }
};

export const repositoryRules: Rule = ({ draft, findings }) => {
  const files = new Set(objects(draft, 'files').map(({ value }) => text(value, 'path')));
  for (const { value, path } of objects(draft, 'extra_repos')) {
    const key = text(value, 'signed_by');
    if (
      key === undefined ||
      /^\s*-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*-----END PGP PUBLIC KEY BLOCK-----\s*$/.test(key)
    )
      continue;
    if (!absolutePath.test(key))
      findings.error(
        `${path}/signed_by`,
        'key_format',
        'Give the ASCII-armoured public key, or the path of a key that `files` puts into the image.',
      );
    else if (!files.has(key))
      findings.error(
        `${path}/signed_by`,
        'key_missing',
        `No entry of files puts a key at ${key}; give the ASCII-armoured key itself.`,
      );
  }
};
