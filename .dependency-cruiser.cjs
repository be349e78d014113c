// The modules and who may enter them (docs/architecture.md). Lowest first; a module may use itself and what stands before it.
const order = [
  'platform',
  'mcp',
  'identity',
  'mcp-keys',
  'artifacts',
  'recipes',
  'hypervisor',
  'checks',
  'builds',
  'vms',
  'desktop',
  'test-runs',
  'providers',
];

const upwards = order.slice(0, -1).map((module, index) => ({
  name: `no-upward-import-from-${module}`,
  comment: 'Modules depend only downwards; upward news is an event.',
  severity: 'error',
  from: { path: `^libs/${module}/` },
  to: { path: `^libs/(${order.slice(index + 1).join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: 'no-cycles',
      comment: 'Decorated classes that import each other crash when loaded.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'modules-through-their-index',
      comment:
        'What another module may use is exported by index.ts. (A live test of one module’s adapter, a check over a whole list, and what makes the images of live tests, may look inside it; a fake of a port is for the tests of every module.)',
      severity: 'error',
      from: { path: '^(libs/([^/]+)|apps|test|bench|migrations)/', pathNot: '^test/(arch|live|support/images)/' },
      to: {
        path: '^libs/([^/]+)/src/',
        pathNot: ['^libs/[^/]+/src/index\\.ts$', '^libs/[^/]+/src/testing/fake-', '^libs/$2/'],
      },
    },
    { name: 'libs-know-no-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    { name: 'no-migrations-in-libs', severity: 'error', from: { path: '^libs/' }, to: { path: '^migrations/' } },
    {
      name: 'product-without-tests',
      comment: 'The product never imports test code or development dependencies.',
      severity: 'error',
      from: { path: '^(apps|libs|migrations)/', pathNot: '(\\.spec\\.ts$|/testing/)' },
      to: { path: ['^test/', '\\.spec\\.ts$', '/testing/'] },
    },
    {
      name: 'typeorm-in-its-places',
      comment:
        'TypeORM belongs to entities, repositories, the database platform and migrations; services see a DataSource only to open transactions.',
      severity: 'error',
      from: {
        path: '^(apps|libs)/',
        pathNot:
          '(\\.entity\\.ts$|\\.repository\\.ts$|\\.service\\.ts$|^libs/platform/|^libs/mcp/src/sessions/mcp-notifier\\.ts$|\\.spec\\.ts$)',
      },
      to: { path: '^node_modules/typeorm' },
    },
    {
      name: 'programs-through-platform-process',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/platform/src/process/' },
      to: { path: '^(node:)?child_process$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'adapters-chosen-by-the-module',
      comment: 'Only the module file of a module imports its adapters.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/src/(?!.*/)', pathNot: '(\\.module\\.ts$|/index\\.ts$)' },
      to: { path: '^libs/$1/src/(apt|qemu|s3|local|aws)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['of-source', 'import', 'require', 'node', 'default'],
    },
  },
};
