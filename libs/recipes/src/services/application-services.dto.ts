import { Transform } from 'class-transformer';
import { Flag, OneOf, Parts, Port, Text, Texts, Whole } from '../schema/field.decorators.js';
import { absolutePath, cidrAddress, hostOrAddress, httpsUrl, ipAddress, oneLine } from '../schema/text-rules.js';
import {
  byteSize,
  collectorName,
  databaseName,
  scramVerifier,
  serverName,
  sha256Hex,
  workerCount,
} from './service-rules.js';

export class DockerServiceConfig {
  @Texts(httpsUrl, 'Mirrors of the registry.', { maxItems: 10, default: [] }) registry_mirrors: string[] = [];
  @OneOf(['json-file', 'local', 'journald'], 'Where the logs of containers go.', { default: 'json-file' }) log_driver:
    'json-file' | 'local' | 'journald' = 'json-file';
  @Whole(1, 10_000, 'Largest log file of a container in MiB (json-file, local).', { default: 10 })
  log_max_size_mb: number = 10;
  @Whole(1, 100, 'Log files kept for a container (json-file, local).', { default: 3 }) log_max_files: number = 3;
  @Flag('Containers keep running while the daemon restarts.', true) live_restore: boolean = true;
  @Texts(ipAddress, 'Name servers of containers.', { maxItems: 10, default: [] }) dns: string[] = [];
  @Text(absolutePath, 'Where images and volumes are kept.', { default: '/var/lib/docker' }) data_root: string =
    '/var/lib/docker';
}

export class NginxServiceSite {
  @Text(serverName, 'Host name of the site; "_" takes every other request.', { required: true }) server_name: string;
  @Text(absolutePath, 'Directory that is served. Give this or proxy_pass.') root?: string;
  @Text(oneLine, 'http or https URL that requests are passed to. Give this or root.', { maxLength: 2048 })
  proxy_pass?: string;
  @Port('Port to listen on; 80, or 443 with ssl, without it.') port?: number;
  @Flag('Serve TLS; a self-signed certificate is made at the first boot where none is given.', false) ssl: boolean =
    false;
  @Text(absolutePath, 'Certificate in the image.') certificate?: string;
  @Text(absolutePath, 'Private key in the image.') certificate_key?: string;
}

export class NginxServiceConfig {
  @Transform(({ value }) => (typeof value === 'number' ? String(value) : (value as unknown)))
  @Text(workerCount, 'Worker processes: "auto" or a number.', { default: 'auto' })
  worker_processes: string = 'auto';
  @Whole(16, 1_000_000, 'Connections of one worker.', { default: 768 }) worker_connections: number = 768;
  @Parts(() => NginxServiceSite, 'Sites; the default page of the distribution without any.', {
    maxItems: 100,
    default: [],
  })
  sites: NginxServiceSite[] = [];
}

export class PostgresqlServiceUser {
  @Text(databaseName, 'Name of the role. A local account of the same name logs in without a password.', {
    required: true,
  })
  name: string;
  @Text(scramVerifier, 'SCRAM-SHA-256 verifier of the password, as PostgreSQL keeps it; no password login without it.')
  password_verifier?: string;
  @Texts(databaseName, 'Databases that the role owns; they are among `databases`.', { maxItems: 50, default: [] })
  databases: string[] = [];
}

export class PostgresqlServiceConfig {
  @Port('Port to listen on.', { default: 5432 }) port: number = 5432;
  @Texts(hostOrAddress, 'Addresses to listen on.', { maxItems: 20, default: ['localhost'] })
  listen_addresses: string[] = ['localhost'];
  @Whole(1, 10_000, 'Most connections.', { default: 100 }) max_connections: number = 100;
  @Whole(1, 1_048_576, 'Shared buffers in MiB.', { default: 128 }) shared_buffers_mb: number = 128;
  @Texts(cidrAddress, 'Networks whose clients may log in by password (SCRAM), to every database.', {
    maxItems: 50,
    default: [],
  })
  allow: string[] = [];
  @Texts(databaseName, 'Databases made at the first boot.', { maxItems: 50, default: [] }) databases: string[] = [];
  @Parts(() => PostgresqlServiceUser, 'Roles made at the first boot.', { maxItems: 50, default: [] })
  users: PostgresqlServiceUser[] = [];
}

export class RedisServiceConfig {
  @Port('Port to listen on.', { default: 6379 }) port: number = 6379;
  @Texts(ipAddress, 'Addresses to listen on.', { maxItems: 20, default: ['127.0.0.1'] }) bind: string[] = ['127.0.0.1'];
  @Text(byteSize, 'Most memory, such as "256mb"; no limit without it.') maxmemory?: string;
  @OneOf(
    ['noeviction', 'allkeys-lru', 'allkeys-lfu', 'volatile-lru', 'volatile-lfu', 'volatile-ttl'],
    'What happens when the memory is full.',
    { default: 'noeviction' },
  )
  maxmemory_policy: string = 'noeviction';
  @Flag('Write every change to disk.', false) appendonly: boolean = false;
  @Text(sha256Hex, 'SHA-256 of the password of the default user; without it Redis answers this host only.')
  password_sha256?: string;
}

export class MonitoringServiceConfig {
  @Port('Port of the node exporter.', { default: 9100 }) port: number = 9100;
  @Text(ipAddress, 'Address to listen on; every one without it.') listen_address?: string;
  @Texts(collectorName, 'Further collectors to switch on, such as "processes".', { maxItems: 50, default: [] })
  collectors: string[] = [];
}
