import { describe, expect, it } from '@jest/globals';
import { schemaOf, type JsonSchema } from '#libs/platform';
import { RecipeDto } from '#libs/recipes';
import { planImage } from '../../libs/builds/src/pipeline/configure/plan-image.js';
import { ImageStage } from '../../libs/builds/src/pipeline/stages/image.stage.js';
import { requestedNames } from '../../libs/builds/src/pipeline/stages/resolve.stage.js';
import { levels } from '../../libs/builds/src/pipeline/stages/squashfs.stage.js';
import { validatorWith } from '../../libs/recipes/src/testing/recipe.factory.js';

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- any recipe

/** A recipe that says something in every field, and another value for each. Fields of one word that stand for a whole (services, assertions) have lists of their own. */
const one: Json = {
  name: 'web-1',
  description: 'One',
  base_image: 'debian-bookworm',
  features: ['ssh'],
  packages: ['curl'],
  package_overrides: [{ name: 'nano', action: 'add' }],
  services: [{ name: 'ssh', config: { port: 22 } }],
  users: [
    {
      username: 'ada',
      password: 'one',
      ssh_authorized_keys: [`ssh-ed25519 AAAA${'B'.repeat(64)}`],
      groups: ['video'],
      shell: '/bin/bash',
      home: '/home/ada',
      sudo: false,
      uid: 2000,
    },
  ],
  groups: [{ name: 'makers', gid: 3000 }],
  files: [{ path: '/srv/one', content: 'one', mode: '0644', owner: 'root', group: 'root' }],
  networking: {
    hostname: 'one',
    domain: 'example.org',
    interfaces: [
      {
        name: 'eth0',
        dhcp4: false,
        dhcp6: false,
        addresses: ['192.0.2.5/24', '2001:db8::5/64'],
        gateway4: '192.0.2.1',
        gateway6: '2001:db8::1',
        mtu: 1400,
      },
    ],
    dns: { nameservers: ['192.0.2.53'], search: ['example.org'] },
    hosts: [{ ip: '192.0.2.9', names: ['db'] }],
    firewall: { default: 'deny', rules: [{ action: 'allow', protocol: 'tcp', port: 80, source: '192.0.2.0/24' }] },
  },
  security: { hardening_level: 'standard', audit_logging: false, automatic_updates: false, disable_root: true },
  system: { timezone: 'UTC', locale: 'C.UTF-8', keyboard: 'us', kernel: 'generic', kernel_args: ['quiet'] },
  startup_scripts: [
    { name: 'one', script: '#!/bin/sh\necho one\n', order: 10, run_once: true, timeout_seconds: 60 },
    { name: 'two', script: '#!/bin/sh\necho two\n', order: 20 },
  ],
  output: { formats: ['iso'], compression: 'fast' },
};
const other: Record<string, unknown> = {
  name: 'web-2',
  description: 'Two',
  base_image: 'debian-trixie',
  features: ['ssh', 'git'],
  packages: ['curl', 'neovim'],
  'package_overrides.0.name': 'neovim',
  'package_overrides.0.action': 'remove',
  'services.0.name': 'monitoring',
  'services.0.config': { port: 2222 },
  'users.0.username': 'bob',
  'users.0.password_hash': `$6$${'a'.repeat(60)}`,
  'users.0.ssh_authorized_keys': [],
  'users.0.groups': ['audio'],
  'users.0.shell': '/bin/sh',
  'users.0.home': '/home/other',
  'users.0.sudo': true,
  'users.0.uid': 2001,
  'groups.0.name': 'others',
  'groups.0.gid': 3001,
  'files.0.path': '/srv/two',
  'files.0.content': 'two',
  'files.0.mode': '0600',
  'files.0.owner': 'ada',
  'files.0.group': 'ada',
  'networking.hostname': 'two',
  'networking.domain': 'example.net',
  'networking.interfaces.0.name': 'eth1',
  'networking.interfaces.0.dhcp4': true,
  'networking.interfaces.0.dhcp6': true,
  'networking.interfaces.0.addresses': ['192.0.2.6/24', '2001:db8::5/64'],
  'networking.interfaces.0.gateway4': '192.0.2.2',
  'networking.interfaces.0.gateway6': '2001:db8::2',
  'networking.interfaces.0.mtu': 1300,
  'networking.dns.nameservers': ['192.0.2.54'],
  'networking.dns.search': ['example.net'],
  'networking.hosts.0.ip': '192.0.2.10',
  'networking.hosts.0.names': ['cache'],
  'networking.firewall.default': 'allow',
  'networking.firewall.rules.0.action': 'deny',
  'networking.firewall.rules.0.protocol': 'udp',
  'networking.firewall.rules.0.port': 81,
  'networking.firewall.rules.0.source': '192.0.2.7',
  'security.hardening_level': 'strict',
  'security.audit_logging': true,
  'security.automatic_updates': true,
  'security.disable_root': false,
  'system.timezone': 'Europe/Berlin',
  'system.locale': 'de_DE.UTF-8',
  'system.keyboard': 'de',
  'system.kernel': 'cloud',
  'system.kernel_args': ['debug'],
  'startup_scripts.0.name': 'other',
  'startup_scripts.0.script': '#!/bin/sh\necho other\n',
  'startup_scripts.0.order': 30,
  'startup_scripts.0.run_once': false,
  'startup_scripts.0.timeout_seconds': 61,
  'startup_scripts.0.after': 'boot',
  'output.compression': 'small',
};
/** Fields that take the place of another. */
const instead: Record<string, Json> = {
  'users.0.password': { users: [{ username: 'ada', password_hash: `$6$${'b'.repeat(60)}` }] },
  'package_overrides.0.replacement': {
    package_overrides: [{ name: 'nano', action: 'replace', replacement: 'neovim' }],
  },
  'files.0.type': { files: [{ path: '/srv/one', type: 'directory' }] },
  'files.0.content_base64': { files: [{ path: '/srv/one', content_base64: 'dHdv' }] },
  'networking.interfaces.0.match': { networking: { interfaces: [{ match: 'en*', dhcp4: true }] } },
};
/** What is asked of the image, not put into it. */
const askedOf = /^tests\./;

const leaves = (schema: JsonSchema, at: string[] = []): string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field.properties
      ? leaves(field, [...at, name])
      : field.items?.properties
        ? leaves(field.items, [...at, name, '0'])
        : [[...at, name].join('.')],
  );
const withValue = (path: string, value: unknown): Json => {
  const copy = structuredClone(one);
  const parts = path.split('.');
  const node = parts.slice(0, -1).reduce<Json>((inner, part) => inner[part] as Json, copy);
  if (path.endsWith('password_hash')) delete node.password;
  node[parts.at(-1)!] = value;
  return copy;
};

/** All that the stages make an image from. */
async function made(recipe: Json): Promise<unknown> {
  const { validation, recipe: whole, resolution } = await validatorWith().check(recipe);
  expect(validation.errors).toEqual([]);
  const { base, features, packages, removedPackages, units } = resolution!;
  const image = new ImageStage().inputs({ recipe: whole!, squashfs: [] } as never);
  return JSON.stringify([
    planImage(whole!, resolution!, []).steps,
    base.id,
    features.map(({ id }) => id),
    packages,
    removedPackages,
    units,
    requestedNames(whole!, resolution!),
    whole!.system.kernel,
    levels[whole!.output.compression],
    image,
  ]);
}

describe('every field of a recipe', () => {
  const fields = leaves(schemaOf(RecipeDto)).filter((path) => !askedOf.test(path));
  const refused = async (recipe: Json) => (await validatorWith().validate(recipe)).errors.map(({ code }) => code);

  it.each(fields)('%s has an effect on the image or is refused', async (path) => {
    if (path in instead) {
      const [before, after] = [one, { ...one, ...instead[path] }];
      return expect(await made(after)).not.toBe(await made(before));
    }
    if (path in other) return expect(await made(withValue(path, other[path]))).not.toBe(await made(one));
    const [top = ''] = path.split('.');
    const whole: Json = {
      desktop: { desktop: {} },
      extra_repos: {
        extra_repos: [
          { uri: 'https://repo.example.org/debian', suite: 'stable', components: ['main'], signed_by: 'x' },
        ],
      },
      custom_packages: { custom_packages: [{ name: 'ab', git_url: 'https://example.org/x.git' }] },
    };
    const given: Json = {
      'security.secure_boot': { security: { secure_boot: true } },
      'output.formats': { output: { formats: ['iso', 'raw'] } },
    };
    const said = whole[top] ?? given[path];
    // A new field is named here, with a value that has an effect.
    expect({ path, isKnownHere: said !== undefined }).toEqual({ path, isKnownHere: true });
    expect(await refused({ ...one, ...said })).toContain('not_effective_yet');
  });
});
