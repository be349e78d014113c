import { describe, expect, it } from '@jest/globals';
import { AppError } from '../errors/app-error.js';
import { loadClientSettings, loadSettings } from './settings.js';

const load = (environment: Record<string, string>) => loadSettings({ HOME: '/home/ada', ...environment });
const problem = (environment: Record<string, string>) => {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof AppError) return error.message;
  }
  throw new Error('was accepted');
};

describe('settings', () => {
  it('has a default for everything', () => {
    const { settings, warnings } = load({});
    expect(settings).toMatchObject({
      host: '127.0.0.1',
      port: 3000,
      roles: ['api', 'worker'],
      trustProxy: [],
      usesEmbeddedDatabase: true,
    });
    expect(settings.publicUrl).toBe('http://127.0.0.1:3000');
    expect(warnings).toEqual([]);
  });

  it('names every wrong variable at once', () => {
    const message = problem({
      OPENFACTORY_PORT: '70000',
      OPENFACTORY_LOG_LEVEL: 'loud',
      OPENFACTORY_PUBLIC_URL: 'ftp://x',
    });
    expect(message).toContain('OPENFACTORY_PORT must be a whole number from 0 to 65535, not "70000"');
    expect(message).toContain('OPENFACTORY_LOG_LEVEL must be one of');
    expect(message).toContain('OPENFACTORY_PUBLIC_URL must start with http://');
  });

  it('treats an empty variable as unset', () => {
    expect(load({ OPENFACTORY_PORT: '', OPENFACTORY_HOST: '  ' }).settings).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
    });
  });

  it('never repeats a secret in its complaint', () => {
    const message = problem({ DATABASE_URL: 'mysql://root:hunter2@db', OPENFACTORY_SECRET: 'hunter2short' });
    expect(message).toContain('DATABASE_URL');
    expect(message).not.toContain('hunter2');
  });

  it('wants a shared secret beside a shared database', () => {
    expect(problem({ DATABASE_URL: 'postgres://db/of' })).toContain('OPENFACTORY_SECRET must be set');
    expect(
      load({ DATABASE_URL: 'postgres://db/of', OPENFACTORY_SECRET: 'x'.repeat(32) }).settings.usesEmbeddedDatabase,
    ).toBe(false);
  });

  it('warns of a variable it does not know and names the nearest', () => {
    expect(load({ OPENFACTORY_PROT: '1' }).warnings).toEqual([
      'OPENFACTORY_PROT is not a setting of OpenFactory; did you mean OPENFACTORY_PORT?',
    ]);
  });

  it('follows the bound port and the configured public URL', () => {
    const { settings } = load({ OPENFACTORY_PORT: '0', OPENFACTORY_HOST: '::' });
    settings.boundTo(4321);
    expect(settings.publicUrl).toBe('http://127.0.0.1:4321');
    expect(load({ OPENFACTORY_PUBLIC_URL: 'https://factory.example/of/' }).settings.publicUrl).toBe(
      'https://factory.example/of',
    );
  });

  it('wants the first administrator’s e-mail and password together', () => {
    expect(
      load({ OPENFACTORY_ADMIN_EMAIL: 'Ada@Example.com', OPENFACTORY_ADMIN_PASSWORD: 'tinkering sparrow' }).settings,
    ).toMatchObject({ adminEmail: 'ada@example.com', adminPassword: 'tinkering sparrow' });
    expect(problem({ OPENFACTORY_ADMIN_EMAIL: 'ada@example.com' })).toContain('set both or none');
    expect(problem({ OPENFACTORY_ADMIN_PASSWORD: 'tinkering sparrow' })).toContain('set both or none');
    const message = problem({ OPENFACTORY_ADMIN_EMAIL: 'ada', OPENFACTORY_ADMIN_PASSWORD: 'hunter2' });
    expect(message).toContain('OPENFACTORY_ADMIN_EMAIL must be one e-mail address');
    expect(message).not.toContain('hunter2');
  });

  it('knows a mail server and a sender', () => {
    expect(
      load({
        OPENFACTORY_SMTP_URL: 'smtps://ada:hunter2@mail.example:465',
        OPENFACTORY_MAIL_FROM: 'OpenFactory <of@mail.example>',
      }).settings,
    ).toMatchObject({ mailFrom: 'OpenFactory <of@mail.example>' });
    const message = problem({
      OPENFACTORY_SMTP_URL: 'https://ada:hunter2@mail.example',
      OPENFACTORY_MAIL_FROM: 'nobody',
    });
    expect(message).toContain('OPENFACTORY_SMTP_URL');
    expect(message).toContain('OPENFACTORY_MAIL_FROM');
    expect(message).not.toContain('hunter2');
  });

  it('checks lists item by item', () => {
    expect(load({ OPENFACTORY_TRUST_PROXY: 'loopback, 10.0.0.0/8' }).settings.trustProxy).toEqual([
      'loopback',
      '10.0.0.0/8',
    ]);
    expect(problem({ OPENFACTORY_TRUST_PROXY: 'everybody!' })).toContain('"everybody!" is none');
    expect(problem({ OPENFACTORY_ALLOWED_ORIGINS: 'https://a.example/path' })).toContain('OPENFACTORY_ALLOWED_ORIGINS');
  });

  it('gives clients their factory', () => {
    expect(loadClientSettings({}).url.href).toBe('http://127.0.0.1:3000/');
    expect(() => loadClientSettings({ OPENFACTORY_URL: 'nonsense' })).toThrow('OPENFACTORY_URL');
  });
});
