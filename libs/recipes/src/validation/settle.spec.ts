import { describe, expect, it } from '@jest/globals';
import { namesOf } from '../catalogue/base-names.js';
import { catalogue, validatorWith, validRecipe } from '../testing/recipe.factory.js';

const validator = validatorWith();
const check = async (more: Record<string, unknown>, base = 'debian-trixie') =>
  await validator.check(validRecipe({ base_image: base, ...more }));
const system = async (fields: object, base?: string) => {
  const { validation, recipe } = await check({ system: fields }, base);
  return {
    errors: validation.errors,
    warned: validation.warnings.map(({ path, code }) => `${path} ${code}`).filter((code) => code.startsWith('/system')),
    system: recipe?.system,
  };
};

describe.each(catalogue.availableBases.map(({ id }) => id))('the names of %s', (base) => {
  it('are there, and hold what every Debian has', () => {
    const { zones, locales, keyboards, users, groups, shells, programs, accounts } = namesOf(base);
    expect(zones.size + namesOf(base).oldZones.size).toBeGreaterThan(550);
    for (const zone of ['UTC', 'Europe/Berlin', 'America/Los_Angeles']) expect(zones.has(zone)).toBe(true);
    expect([locales.get('de_DE.UTF-8'), locales.get('de_DE'), locales.get('de_DE@euro'), locales.size > 400]).toEqual([
      'UTF-8',
      'ISO-8859-1',
      'ISO-8859-15',
      true,
    ]);
    expect([keyboards.get('de')?.includes('nodeadkeys'), keyboards.has('gb'), keyboards.has('uk')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([
      users.get('root'),
      users.get('www-data'),
      groups.get('operator'),
      groups.get('users'),
      users.has('operator'),
    ]).toEqual([0, 33, 37, 100, false]);
    expect([shells.has('/bin/bash'), programs.has('/usr/bin/perl'), programs.has('/usr/sbin/nologin')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([accounts.get('postgresql-common')?.users, accounts.get('docker.io')?.groups]).toEqual([
      ['postgres'],
      ['docker'],
    ]);
  });

  it.each(['de_DE.UTF_8', 'de_DE.utf8', 'de_DE.UTF8', 'de_DE.utf-8', 'de_de.UTF-8'])(
    'take the locale %s for what it means, and say so',
    async (locale) => {
      expect(await system({ locale }, base)).toMatchObject({
        errors: [],
        warned: ['/system/locale locale_spelling'],
        system: { locale: 'de_DE.UTF-8' },
      });
    },
  );

  it('generate a locale in its own charset, and say which', async () => {
    expect(await system({ locale: 'de_DE' }, base)).toMatchObject({
      errors: [],
      warned: ['/system/locale locale_charset'],
      system: { locale: 'de_DE' },
    });
    expect(await system({ locale: 'de_DE.ISO-8859-1' }, base)).toMatchObject({
      errors: [],
      warned: ['/system/locale locale_spelling'],
      system: { locale: 'de_DE' },
    });
    for (const locale of ['C', 'POSIX', 'C.UTF-8', 'de_DE.UTF-8', 'ca_ES@valencia', 'aa_ER'])
      expect(await system({ locale }, base)).toMatchObject({ errors: [], warned: [], system: { locale } });
    expect(await system({ locale: 'C.utf8' }, base)).toMatchObject({ errors: [], system: { locale: 'C.UTF-8' } });
  });

  it.each([
    ['timezone', 'Europe/Berln', 'Europe/Berlin'],
    ['timezone', 'europe/berlin', 'Europe/Berlin'],
    ['timezone', 'Berlin', 'Europe/Berlin'],
    ['timezone', 'Mars/Olympus', undefined],
    ['locale', 'de_DD.UTF-8', 'de_DE.UTF-8'],
    ['locale', 'xx_YY.UTF-8', expect.any(String)],
    ['keyboard', 'uk', 'gb'],
    ['keyboard', 'en', 'us'],
    ['keyboard', 'sv', 'se'],
    ['keyboard', 'ja', 'jp'],
    ['keyboard', 'de(nodeadkey)', 'de(nodeadkeys)'],
    ['keyboard', 'dvorak', 'us(dvorak)'],
    ['keyboard', 'de-latin1-nodeadkeys', 'de(nodeadkeys)'],
    ['keyboard', 'de-latin1', 'de'],
    ['keyboard', 'us,de', 'us'],
    ['keyboard', 'en-us', 'us'],
    ['keyboard', 'jp106', 'jp'],
    ['keyboard', 'br-abnt2', 'br'],
    ['keyboard', 'de nodeadkeys', 'de(nodeadkeys)'],
    ['keyboard', 'nec_vndr/jp', 'jp'],
    ['locale', 'de', 'de_DE.UTF-8'],
    ['locale', 'ja', 'ja_JP.UTF-8'],
    ['locale', 'en', 'en_US.UTF-8'],
    ['locale', 'sv.utf8', 'sv_SE.UTF-8'],
    ['locale', 'no_NO.UTF-8', 'nb_NO.UTF-8'],
    ['locale', 'POSIX.UTF-8', 'C.UTF-8'],
    ['locale', 'en_US.UTF-8 UTF-8', 'en_US.UTF-8'],
    ['locale', 'en-US', 'en_US.UTF-8'],
    ['timezone', 'Europe/Berlin ', 'Europe/Berlin'],
    ['timezone', 'Europe\\Berlin', 'Europe/Berlin'],
    ['keyboard', 'de(dvorakk)', 'de(dvorak)'],
  ])('have no %s %s, and offer the nearest', async (field, value, suggestion) => {
    const { errors } = await system({ [field]: value }, base);
    expect(errors).toEqual([
      {
        path: `/system/${field}`,
        code: `unknown_${field}`,
        message: expect.stringContaining(
          suggestion === undefined ? value : typeof suggestion === 'string' ? suggestion : 'nearest are',
        ),
        ...(suggestion !== undefined && { suggestion }),
      },
    ]);
  });
});

it('brings an old zone to what it is called today where the base lacks it', async () => {
  expect(await system({ timezone: 'US/Pacific' })).toMatchObject({
    errors: [],
    warned: ['/system/timezone timezone_renamed'],
    system: { timezone: 'America/Los_Angeles' },
  });
  expect(await system({ timezone: 'Asia/Calcutta' })).toMatchObject({
    errors: [],
    system: { timezone: 'Asia/Kolkata' },
  });
  expect(await system({ timezone: 'US/Pacific' }, 'debian-bookworm')).toMatchObject({
    errors: [],
    warned: [],
    system: { timezone: 'US/Pacific' },
  });
});

describe('scripts', () => {
  const script = '#!/bin/bash\r\nset -e\r\necho hello\r\n';
  const plain = '#!/bin/bash\nset -e\necho hello\n';
  const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');

  it('from Windows get plain line ends, and that is said', async () => {
    const { validation, recipe } = await check({
      startup_scripts: [
        { name: 'a', script },
        { name: 'b', script: `\uFEFF${plain}` },
        { name: 'c', script: plain },
      ],
      files: [
        { path: '/usr/local/bin/a', content: script },
        { path: '/usr/local/bin/b', content_base64: base64(`\uFEFF${script}`) },
        { path: '/etc/a.txt', content: 'a\r\nb\r\n' },
        { path: '/etc/c.txt', content_base64: base64('a\r\n') },
      ],
    });
    expect(validation.errors).toEqual([]);
    expect(validation.warnings.filter(({ code }) => code === 'script_line_ends').map(({ path }) => path)).toEqual([
      '/startup_scripts/0/script',
      '/startup_scripts/1/script',
      '/files/0/content',
      '/files/1/content_base64',
    ]);
    expect(recipe?.startup_scripts.map((one) => one.script)).toEqual([plain, plain, plain]);
    expect(
      recipe?.files.map(
        ({ content, content_base64 }) => content ?? Buffer.from(content_base64 ?? '', 'base64').toString(),
      ),
    ).toEqual([plain, plain, 'a\r\nb\r\n', 'a\r\n']);
  });

  it('in front of binary data are left as they are, and refused where they could not start', async () => {
    const packed = (start: string) => ({
      path: '/usr/local/bin/a',
      content_base64: base64(Buffer.concat([Buffer.from(start), Buffer.from([0, 13, 10, 255])])),
    });
    const good = await check({ files: [packed('#!/bin/sh\nexec tail\r\n')] });
    expect([good.validation.errors, good.recipe?.files[0]?.content_base64]).toEqual([
      [],
      packed('#!/bin/sh\nexec tail\r\n').content_base64,
    ]);
    expect((await check({ files: [packed('#!/bin/sh\r\n')] })).validation.errors).toMatchObject([
      { path: '/files/0/content_base64', code: 'script_line_ends' },
    ]);
  });

  it.each([
    ['no interpreter', 'reboot\n', 'script_without_interpreter'],
    ['a NUL', '#!/bin/sh\n\0', 'unstorable'],
    ['an empty line first', '\n#!/bin/sh\n', 'script_without_interpreter'],
  ])('with %s are refused', async (_what, text, code) =>
    expect((await check({ startup_scripts: [{ name: 's', script: text }] })).validation.errors).toMatchObject([
      { path: '/startup_scripts/0/script', code },
    ]),
  );
});

describe('the network', () => {
  const on = async (one: object, more: object = {}) =>
    (await check({ networking: { interfaces: [{ name: 'enp1s0', ...one }], ...more } })).validation.errors.map(
      ({ path, code }) => `${path.replace('/networking/interfaces/0', '')} ${code}`,
    );
  it.each([
    ['an MTU too small for an IPv6 address', { addresses: ['2001:db8::5/64'], mtu: 1279 }, '/mtu mtu_too_small'],
    ['an MTU too small for DHCPv6', { dhcp6: true, mtu: 576 }, '/mtu mtu_too_small'],
    ['a gateway elsewhere', { addresses: ['192.0.2.5/24'], gateway4: '192.0.3.1' }, '/gateway4 gateway_unreachable'],
    ['a gateway that it is itself', { addresses: ['192.0.2.5/24'], gateway4: '192.0.2.5' }, '/gateway4 gateway_itself'],
    ['one address twice', { addresses: ['192.0.2.5/24', '192.0.2.5/25'] }, '/addresses/1 duplicate_address'],
    [
      'one address in two spellings',
      { addresses: ['2001:db8::5/64', '2001:db8:0::5/64'] },
      '/addresses/1 duplicate_address',
    ],
    ['the address of a network', { addresses: ['192.0.2.0/24'] }, '/addresses/0 unusable_address'],
    ['a broadcast address', { addresses: ['192.0.2.255/24'] }, '/addresses/0 unusable_address'],
    ['a loopback address', { addresses: ['127.0.0.5/8'] }, '/addresses/0 unusable_address'],
    ['a multicast address', { addresses: ['ff02::1/64'] }, '/addresses/0 unusable_address'],
  ])('refuses %s', async (_what, one, expected) => expect(await on(one)).toEqual([expected]));
  it('takes small packets without IPv6, both ends of a point-to-point link, and a gateway on the link', async () => {
    expect(await on({ addresses: ['192.0.2.5/24'], mtu: 576 })).toEqual([]);
    expect(await on({ addresses: ['192.0.2.0/31'], gateway4: '192.0.2.1' })).toEqual([]);
    expect(await on({ addresses: ['2001:db8::5/64'], gateway6: 'fe80::1' })).toEqual([]);
  });
  it('refuses one address on two interfaces, one interface twice, and names that are none', async () => {
    expect(
      (
        await check({
          networking: {
            interfaces: [
              { name: 'a0', addresses: ['192.0.2.5/24'] },
              { name: 'a0', addresses: ['192.0.2.5/24'] },
            ],
          },
        })
      ).validation.errors.map(({ code }) => code),
    ).toEqual(['duplicate_interface', 'duplicate_address']);
    expect(await on({ dhcp4: true }, { hostname: 'localhost' })).toEqual(['/networking/hostname hostname']);
    expect(await on({ dhcp4: true }, { hostname: 'a'.repeat(64) })).toEqual(['/networking/hostname hostname']);
    expect(
      await on(
        { dhcp4: true },
        { hostname: 'a'.repeat(60), domain: Array.from({ length: 4 }, () => 'b'.repeat(60)).join('.') },
      ),
    ).toEqual(['/networking/domain hostname_too_long']);
  });
});
