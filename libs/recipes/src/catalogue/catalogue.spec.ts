import { describe, expect, it } from '@jest/globals';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { catalogue, validatorWith } from '../testing/recipe.factory.js';
import { loadCatalogue } from './catalogue-loader.js';
import { dataDirectory } from './data-directory.js';

/** recipe.md: "at least". */
const promised =
  'ssh docker podman firewall security-hardening monitoring logging fail2ban nginx apache haproxy postgresql mariadb redis rabbitmq nfs-server samba dns dhcp vpn ntp certbot git build-tools python nodejs java golang rust kubernetes-node virtualization desktop-xfce firefox chromium libreoffice remote-desktop kiosk agent-desktop cloud-init auditd apparmor unattended-upgrades backup dicom scientific-python'.split(
    ' ',
  );

describe('the catalogue', () => {
  it.each(catalogue.bases.map((base) => [base.id, base] as const))(
    'base image %s says what it is or why it cannot be used',
    async (_id, base) => {
      const { errors, resolved } = await validatorWith().validate({ name: 'x', base_image: base.id });
      expect(resolved?.base_image).toBe(base.id);
      expect(errors.map(({ code }) => code)).toEqual(base.available ? [] : ['base_image_unavailable']);
    },
  );

  it.each(
    catalogue.features
      .filter(({ unavailable_reason }) => unavailable_reason === undefined)
      .flatMap((feature) => catalogue.availableBases.map((base) => [feature.id, base.id] as const)),
  )('feature %s resolves on %s', async (id, base) => {
    const { errors, resolved } = await validatorWith().validate({ name: 'x', base_image: base, features: [id] });
    expect(errors).toEqual([]);
    expect(resolved?.features).toContain(id);
    expect(catalogue.findFeature(id)?.assertions).not.toEqual([]);
  });

  it.each(catalogue.services.map(({ id, feature }) => [id, feature] as const))(
    'service %s brings its feature %s',
    async (id, feature) => {
      const config =
        id === 'dhcp' ? { subnet: '192.0.2.0/24', range_start: '192.0.2.10', range_end: '192.0.2.20' } : {};
      const { errors, resolved } = await validatorWith().validate({
        name: 'x',
        base_image: 'debian-bookworm',
        services: [{ name: id, config }],
      });
      expect(errors).toEqual([]);
      expect(resolved?.features).toContain(feature);
    },
  );

  it.each(
    catalogue.templates.flatMap((template) => catalogue.availableBases.map((base) => [template.id, base.id] as const)),
  )('template %s is valid on %s', async (id, base) => {
    const { title, description, tags, recipe } = catalogue.findTemplate(id) ?? {};
    const { errors, warnings } = await validatorWith().validate({ ...recipe, base_image: base });
    expect(errors).toEqual([]);
    expect(warnings.map(({ code }) => code).filter((code) => code !== 'no_login' && code !== 'feature_added')).toEqual(
      [],
    );
    expect([title, description, tags?.length, (recipe?.tests as unknown[]).length].every(Boolean)).toBe(true);
  });

  it('has the promised templates and categories', () => {
    expect(catalogue.findTemplate('debian-server')?.title).toBe('Debian server with SSH, Docker and monitoring');
    expect(catalogue.findTemplate('gxp-medtech')).toMatchObject({ title: 'GxP MedTech', category: 'healthcare' });
    expect(promised.filter((id) => !catalogue.findFeature(id))).toEqual([]);
    expect(catalogue.templates.length).toBeGreaterThanOrEqual(30);
    expect(catalogue.categories).toHaveLength(14);
    expect(new Set(catalogue.templates.map(({ category }) => category)).size).toBe(14);
  });

  it('refuses a feature that cannot be built, with the reason', async () => {
    const unavailable = catalogue.features.filter(({ unavailable_reason }) => unavailable_reason !== undefined);
    expect(unavailable.map(({ id }) => id)).toEqual(['agent-desktop', 'kiosk']);
    for (const { id, unavailable_reason } of unavailable) {
      const { errors } = await validatorWith().validate({ name: 'x', base_image: 'debian-trixie', features: [id] });
      expect(errors).toEqual([
        expect.objectContaining({
          path: '/features/0',
          code: 'feature_unavailable',
          message: expect.stringContaining(unavailable_reason!),
        }),
      ]);
    }
  });

  it('stops the start at a broken entry, naming file and path', () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'of-catalogue-'));
    try {
      cpSync(dataDirectory(), dir, { recursive: true });
      writeFileSync(
        path.join(dir, 'features/git.yaml'),
        'id: git\ntitle: Git\ndescription: Git\ncategory: development\npackages: [git, "no such package!"]\nrequires: [nothing]\n',
      );
      writeFileSync(path.join(dir, 'features/java.yaml'), 'id: jav\n  title: [');
      expect(() => loadCatalogue(dir)).toThrow(/features\/git\.yaml: \/packages[\s\S]*features\/java\.yaml/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
