import { waitsForAddresses, type ServiceRenderer } from './service-renderer.js';

const file = '/etc/redis/openfactory.conf';

/** redis.conf: what is said last rules, so ours is included at the end of the package's. */
export const renderRedis: ServiceRenderer<'redis'> = (plan, config) => {
  const lines = [
    `port ${config.port}`,
    `bind ${config.bind.join(' ')}`,
    ...(config.maxmemory === undefined ? [] : [`maxmemory ${config.maxmemory}`]),
    `maxmemory-policy ${config.maxmemory_policy}`,
    `appendonly ${config.appendonly ? 'yes' : 'no'}`,
    ...(config.password_sha256 === undefined
      ? []
      : [`user default on resetpass #${config.password_sha256} ~* &* +@all`]),
  ];
  plan.file({ path: file, content: `${lines.join('\n')}\n`, mode: '0640', group: 'redis' });
  plan.run(['sed', '-i', `$a include ${file}`, '/etc/redis/redis.conf']);
  waitsForAddresses(plan, 'redis-server.service', config.bind);
};
