import type { ServiceConfig } from '#libs/recipes';
import type { ImagePlan } from '../image-plan.js';
import { waitsForAddresses, type ServiceRenderer } from './service-renderer.js';

/** The version that the package postgresql of a base brings; recipes-package-index.spec.ts holds it against the archives. */
export const postgresqlVersions: Record<string, string> = { 'debian-bookworm': '15', 'debian-trixie': '17' };

const script = '/usr/share/openfactory/postgresql.sql';
const unit = 'of-postgresql-databases.service';

/** The package makes the cluster `main`, and with it the data directory; databases and roles need the running server. */
export const renderPostgresql: ServiceRenderer<'postgresql'> = (plan, config, { resolution }) => {
  const version = postgresqlVersions[resolution.base.id];
  if (version === undefined) throw new Error(`no version of PostgreSQL is known for ${resolution.base.id}`);
  const dir = `/etc/postgresql/${version}/main`;
  plan.file({
    path: `${dir}/conf.d/openfactory.conf`,
    content: [
      `port = ${config.port}`,
      `listen_addresses = '${config.listen_addresses.join(', ')}'`,
      `max_connections = ${config.max_connections}`,
      `shared_buffers = ${config.shared_buffers_mb}MB`,
      '',
    ].join('\n'),
    owner: 'postgres',
    group: 'postgres',
  });
  waitsForAddresses(plan, `postgresql@${version}-main.service`, config.listen_addresses);
  // pg_hba.conf(5) of the package knows this host only; the first line that fits decides, and none of its own fits these networks.
  if (config.allow.length)
    plan.run([
      'sed',
      '-i',
      config.allow.map((network) => `$a host all all ${network} scram-sha-256`).join('\n'),
      `${dir}/pg_hba.conf`,
    ]);
  if (config.databases.length || config.users.length)
    renderFirstBoot(plan, config, `postgresql@${version}-main.service`);
};

function renderFirstBoot(plan: ImagePlan, config: ServiceConfig<'postgresql'>, cluster: string): void {
  // Verifiers of passwords are for the server only.
  plan.file({ path: script, content: sqlOf(config), mode: '0640', group: 'postgres' });
  plan.file({
    path: `/etc/systemd/system/${unit}`,
    content: [
      '[Unit]',
      'Description=Make the databases and roles of this machine',
      `Requires=postgresql.service`,
      `After=postgresql.service ${cluster}`,
      '',
      '[Service]',
      'Type=oneshot',
      'RemainAfterExit=yes',
      'User=postgres',
      `ExecStart=/usr/bin/psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --port ${config.port} --file ${script}`,
      '',
      '[Install]',
      'WantedBy=multi-user.target',
      '',
    ].join('\n'),
  });
  plan.enable(unit);
}

/** Runs at every boot, so each line does nothing where its thing is there. Names need no quoting as text (databaseName), but may be words of SQL. */
function sqlOf({ databases, users }: ServiceConfig<'postgresql'>): string {
  const roles = users.flatMap(({ name, password_verifier }) => [
    `SELECT 'CREATE ROLE "${name}" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') \\gexec`,
    ...(password_verifier === undefined ? [] : [`ALTER ROLE "${name}" PASSWORD '${password_verifier}';`]),
  ]);
  const made = databases.map(
    (name) =>
      `SELECT 'CREATE DATABASE "${name}"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${name}') \\gexec`,
  );
  const owned = users.flatMap(({ name, databases: own }) =>
    own.map((database) => `ALTER DATABASE "${database}" OWNER TO "${name}";`),
  );
  return [...roles, ...made, ...owned, ''].join('\n');
}
