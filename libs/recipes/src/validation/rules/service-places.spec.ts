import { describe, expect, it } from '@jest/globals';
import { schemaOf, type JsonSchema } from '#libs/platform';
import { serviceConfigs, type ServiceId } from '../../services/service-configs.js';
import { validatorWith, validRecipe } from '../../testing/recipe.factory.js';

const check = async (name: string, config: object, base = 'debian-trixie') =>
  (await validatorWith().validate(validRecipe({ base_image: base, services: [{ name, config }] }))).errors;

/** Options of a config that take an absolute path, those inside lists by their first entry. */
function pathsOf(schema: JsonSchema, at: (string | number)[] = []): (string | number)[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field.items?.properties
      ? pathsOf(field.items, [...at, name, 0])
      : String(field.pattern).startsWith('^/')
        ? [[...at, name]]
        : [],
  );
}
const nested = (path: (string | number)[], value: unknown): unknown =>
  path.reduceRight((inner, part) => (typeof part === 'number' ? [inner] : { [part]: inner }), value);

describe('a place that an option of a service names', () => {
  const options = (Object.keys(serviceConfigs) as ServiceId[]).flatMap((id) =>
    pathsOf(schemaOf(serviceConfigs[id])).map((path) => [id, path.join('/'), path] as const),
  );

  it.each(options)('%s: %s is one where something stays', async (id, name, path) => {
    for (const lost of ['/run/x', '/var/run/x', '/tmp/x', '/etc/machine-id'])
      expect((await check(id, nested(path, lost) as object)).map(({ path: at }) => at)).toContain(
        `/services/0/config/${name}`,
      );
  });

  it('is looked for among all options', () =>
    expect(options.map(([id, name]) => `${id} ${name}`)).toEqual([
      'docker data_root',
      'nginx sites/0/root',
      'nginx sites/0/certificate',
      'nginx sites/0/certificate_key',
      'vpn private_key_file',
    ]));

  it('is refused with a reason and what to do instead', async () => {
    expect(await check('nginx', { sites: [{ server_name: '_', root: '/var/run/site' }] })).toEqual([
      {
        path: '/services/0/config/sites/0/root',
        code: 'lost_place',
        message: expect.stringMatching(
          /^\/var\/run\/site lies at \/run\/site\. \/run\/site is empty again at every boot: .+\.$/,
        ),
      },
    ]);
    expect(
      await check('nginx', {
        sites: [
          {
            server_name: '_',
            root: '/srv/my site',
            ssl: true,
            certificate: '/etc/ssl/a.crt',
            certificate_key: '/etc/ssl/a.key',
          },
        ],
      }),
    ).toEqual([]);
    expect(
      (await check('nginx', { sites: [{ server_name: '_', root: '/srv/$host' }] })).map(
        ({ path, code }) => `${path} ${code}`,
      ),
    ).toEqual(['/services/0/config/sites/0/root site_path']);
  });
});

it('collectors of the node exporter are those of the base', async () => {
  expect(await check('monitoring', { collectors: ['xfrm', 'processes'] })).toEqual([]);
  expect(await check('monitoring', { collectors: ['processes', 'xfrm'] }, 'debian-bookworm')).toEqual([
    {
      path: '/services/0/config/collectors/1',
      code: 'unknown_collector',
      message: expect.stringContaining('no collector xfrm'),
      suggestion: 'drm',
    },
  ]);
  expect((await check('monitoring', { collectors: ['processes --web.config=x'] })).map(({ code }) => code)).toContain(
    'collectorName',
  );
});
