import { define } from '../setting-definition.js';
import { integer, oneOf } from '../setting-parsers.js';

/** Who may call, how often, and what those without an account may take. */
export const callerSettings = {
  anonymous: define({
    name: 'OPENFACTORY_ANONYMOUS',
    meaning:
      'on: whoever sends no credentials works as the anonymous caller of their address. off: everybody needs an account or a key.',
    shownDefault: 'on',
    parse: (value?: string) => oneOf(['on', 'off'], 'on')(value) === 'on',
  }),
  callsPerMinute: define({
    name: 'OPENFACTORY_CALLS_PER_MINUTE',
    meaning:
      'Calls a minute of one key or of one signed-in person, over REST and MCP together; further ones are told when to come back.',
    shownDefault: '1200',
    parse: integer(1, 10_000_000, 1200),
  }),
  anonymousCallsPerMinute: define({
    name: 'OPENFACTORY_ANONYMOUS_CALLS_PER_MINUTE',
    meaning: 'The same for one anonymous caller, which is everybody behind one address who sends no credentials.',
    shownDefault: '600',
    parse: integer(1, 10_000_000, 600),
  }),
  callsPerMinutePerAddress: define({
    name: 'OPENFACTORY_CALLS_PER_MINUTE_PER_ADDRESS',
    meaning: 'Calls a minute from one address, whoever makes them, refused ones too.',
    shownDefault: '3000',
    parse: integer(1, 10_000_000, 3000),
  }),
  refusedCredentialsPerMinute: define({
    name: 'OPENFACTORY_REFUSED_CREDENTIALS_PER_MINUTE',
    meaning:
      'Credentials of one address, of all kinds together, that may be refused in a minute; then none of theirs are looked at until it is over.',
    shownDefault: '30',
    parse: integer(1, 10_000_000, 30),
  }),
  limitsStore: define({
    name: 'OPENFACTORY_LIMITS_STORE',
    meaning:
      'Where calls are counted. memory: each process counts for itself. postgres: all replicas count together, at one query a call.',
    shownDefault: 'memory',
    parse: oneOf<'memory' | 'postgres'>(['memory', 'postgres'], 'memory'),
  }),
  anonymousDiskGb: define({
    name: 'OPENFACTORY_ANONYMOUS_DISK_GB',
    meaning:
      'GiB that one anonymous caller may take: the files of their builds, and OPENFACTORY_VM_DISK_GB for each of their VMs and for each snapshot of a VM’s disk.',
    shownDefault: '100',
    parse: integer(0, 1_000_000, 100),
  }),
} as const;
