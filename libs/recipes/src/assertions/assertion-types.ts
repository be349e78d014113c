/** One parameter of an assertion type. Whole numbers may arrive as numeric strings. */
export interface ParameterSpec {
  kind: 'text' | 'whole' | 'flag' | 'texts' | 'record';
  required?: boolean;
  values?: readonly (string | number)[];
  min?: number;
  max?: number;
  default?: unknown;
}

export interface AssertionType {
  params: Record<string, ParameterSpec>;
  /** At least one of these must be given. */
  anyOf?: readonly string[];
}

const text = (more: Partial<ParameterSpec> = {}): ParameterSpec => ({ kind: 'text', ...more });
const whole = (min: number, max: number, more: Partial<ParameterSpec> = {}): ParameterSpec => ({
  kind: 'whole',
  min,
  max,
  ...more,
});
const texts: ParameterSpec = { kind: 'texts' };
const flag: ParameterSpec = { kind: 'flag' };
const R = { required: true };
const port = (more: Partial<ParameterSpec> = {}) => whole(1, 65_535, more);
const protocol = text({ values: ['tcp', 'udp'], default: 'tcp' });
const type = (params: Record<string, ParameterSpec>, anyOf?: readonly string[]): AssertionType => ({
  params,
  ...(anyOf && { anyOf }),
});
const file = { path: text(R), mode: text(), owner: text(), group: text() };
const fileType = text({ values: ['file', 'directory', 'symlink'] });
const seconds = whole(1, 86_400);

/** Taken by every type. */
export const commonParameters: Record<string, ParameterSpec> = {
  timeout_seconds: whole(1, 3600, { default: 30 }),
  retry_seconds: whole(0, 3600, { default: 0 }),
};

/** Every assertion that a recipe's tests may make. The module `checks` runs them. */
export const assertionTypes = {
  boot: type({ target: text({ values: ['multi-user.target', 'graphical.target'] }), within_seconds: seconds }),
  login: type({ username: text(R), method: text({ values: ['password', 'key', 'autologin'] }) }),
  user_exists: type({ username: text(R), groups: texts, shell: text(), home: text(), uid: whole(0, 4_294_967_294) }),
  user_in_group: type({ username: text(R), group: text(R) }),
  user_password: type({ username: text(R), password: text(), locked: flag }, ['password', 'locked']),
  group_exists: type({ name: text(R), gid: whole(0, 4_294_967_294) }),
  service_running: type({ service: text(R) }),
  service_enabled: type({ service: text(R) }),
  no_failed_units: type({ ignore: texts }),
  process_running: type({ name: text(R), user: text(), count: whole(1, 100_000) }),
  package_installed: type({ package: text(R), version: text() }),
  package_not_installed: type({ package: text(R) }),
  port_listening: type({ port: port(R), protocol, address: text() }),
  port_closed: type({ port: port(R), protocol }),
  network_reachable: type({ host: text(R), port: port(), protocol: text({ values: ['icmp', 'tcp', 'udp'] }) }),
  dns_resolves: type({ name: text(R), expected: texts }),
  http_responds: type({
    url: text(R),
    status: whole(100, 599, { default: 200 }),
    contains: text(),
    method: text({ values: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'], default: 'GET' }),
    headers: { kind: 'record' },
  }),
  file_exists: type({ ...file, type: fileType }),
  file_absent: type({ path: text(R) }),
  file_contains: type({ path: text(R), content: text(), pattern: text() }, ['content', 'pattern']),
  file_permissions: type(file),
  mount_exists: type({ path: text(R), fstype: text(), options: texts }),
  sysctl_value: type({ key: text(R), value: text(R) }),
  kernel_parameter: type({ name: text(R), value: text() }),
  command_succeeds: type({ command: text(R), user: text(), exit_code: whole(0, 255, { default: 0 }) }),
  command_output: type({ command: text(R), contains: text(), equals: text(), pattern: text(), user: text() }, [
    'contains',
    'equals',
    'pattern',
  ]),
  disk_usage_below: type({ percent: whole(1, 100, R), path: text({ default: '/' }) }),
  memory_usage_below: type({ percent: whole(1, 100, R) }),
  boot_time_below: type({ seconds: { ...seconds, ...R } }),
  journal_clean: type({
    level: text({ values: ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'], default: 'crit' }),
    ignore: texts,
  }),
  cis_benchmark: type({
    level: whole(1, 2, R),
    profile: text({ values: ['server', 'workstation'], default: 'server' }),
    skip: texts,
  }),
  gui_application_opens: type({ application: text(R), window_title: text(), within_seconds: seconds }),
  gui_window_visible: type({ title: text(R) }),
  gui_text_visible: type({ text: text(R), region: { kind: 'record' } }),
  gui_element_exists: type({ content: text(R), type: text(), interactive: flag }),
  gui_execute_command: type({ command: text(R), expect_window: text() }),
} satisfies Record<string, AssertionType>;

export type AssertionTypeName = keyof typeof assertionTypes;
export const assertionTypeNames = Object.keys(assertionTypes) as AssertionTypeName[];
