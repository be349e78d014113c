import { readFileSync } from 'node:fs';

const {
  sourceMaps: _sourceMaps,
  $schema: _schema,
  module: _module,
  ...swc
} = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

/** One project per tier, so that `npm run jest -- --selectProjects unit` runs one of them. */
const tier = (displayName, testMatch, more = {}) => ({
  displayName,
  testMatch,
  rootDir: import.meta.dirname,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', { swcrc: false, ...swc, module: { type: 'es6' } }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['of-source', 'node', 'node-addons'] },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  setupFiles: ['<rootDir>/test/support/setup-file.mjs'],
  ...more,
});
const withDatabase = {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

const withRunDirectory = {
  globalSetup: '<rootDir>/test/support/run-directory-setup.mjs',
  globalTeardown: '<rootDir>/test/support/run-directory-teardown.mjs',
};

export default {
  // These machines are slow and noisy; a hang still ends.
  testTimeout: 120_000,
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  projects: [
    tier('unit', ['<rootDir>/{apps,libs,migrations}/**/*.spec.ts', '!**/*.medium.spec.ts']),
    tier('arch', ['<rootDir>/test/arch/**/*.spec.ts']),
    tier('medium', ['<rootDir>/{apps,libs}/**/*.medium.spec.ts'], withDatabase),
    tier('e2e', ['<rootDir>/test/e2e/**/*.spec.ts'], withDatabase),
    tier('live', ['<rootDir>/test/live/**/*.spec.ts'], withRunDirectory),
  ],
};
