import { AppError, errorMessage, loadSettings, type Settings } from '#libs/platform';
import { fail, ok, warn, type Check, type FactoryProbe, type HostProbe } from './check.js';
import { probeDataDirectory } from './data-directory.probe.js';
import { probeDatabase } from './database.probe.js';
import { probeEgress } from './egress.probe.js';
import { probeAccounts, probeDistribution, probeNode, probePackages } from './host.probes.js';
import { probeKvm } from './kvm.probe.js';
import { probeBuildRoom, probeNamespaces } from './namespaces.probe.js';
import { probePort } from './port.probe.js';
import { probeControlGroups, probeDisk, probeMemory } from './resources.probes.js';

const hostProbes: Record<string, HostProbe> = {
  distribution: probeDistribution,
  'Node.js': probeNode,
  'Debian packages': probePackages,
  'system accounts': probeAccounts,
  'user namespaces': probeNamespaces,
  'room of builds': probeBuildRoom,
  KVM: () => probeKvm(),
  'guest network': () => probeEgress(),
  memory: probeMemory,
  'control groups': probeControlGroups,
};
const factoryProbes: Record<string, FactoryProbe> = {
  'data directory': probeDataDirectory,
  'disk space': probeDisk,
  port: probePort,
  PostgreSQL: probeDatabase,
};

/** Runs every probe; one that breaks is a failed check of its own and stops no other. */
export async function examine(load: () => { settings: Settings; warnings: string[] } = loadSettings): Promise<Check[]> {
  const { checks, settings } = readConfiguration(load);
  const running = [
    ...Object.entries(hostProbes).map(([name, probe]) => guarded(name, probe)),
    ...(settings ? Object.entries(factoryProbes).map(([name, probe]) => guarded(name, () => probe(settings))) : []),
  ];
  return [...checks, ...(await Promise.all(running)).flat()];
}

function readConfiguration(load: () => { settings: Settings; warnings: string[] }): {
  checks: Check[];
  settings?: Settings;
} {
  try {
    const { settings, warnings } = load();
    const checks = warnings.length
      ? warnings.map((warning) => warn('configuration', warning, 'Correct or unset the variable.'))
      : [ok('configuration', 'valid')];
    return { checks, settings };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return {
      checks: [
        fail('configuration', error.message, `${error.hint ?? ''} Checks that depend on it were left out.`.trim()),
      ],
    };
  }
}

async function guarded(name: string, probe: HostProbe): Promise<Check[]> {
  try {
    return await probe();
  } catch (error) {
    return [fail(name, `the probe itself failed: ${errorMessage(error)}`, 'Please report this.')];
  }
}
