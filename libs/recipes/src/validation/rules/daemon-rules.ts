import { featureOn } from '../../catalogue/catalogue.js';
import type { BaseImageDto } from '../../catalogue/catalogue.dto.js';
import { portsOfService, openPorts, type ListeningPort } from '../../services/service-ports.js';
import { splitSpec } from '../check-packages.js';
import { texts } from '../draft.js';
import type { Resolution } from '../resolution.js';
import type { Rule, RuleContext } from './rule.js';

interface Listener {
  who: string;
  path: string;
  ports: readonly ListeningPort[];
  isConfigured: boolean;
}

/** Two on one port: a warning, since files of the recipe may set either up otherwise. Two services with their configs are told as an error by portConflicts. */
export const daemonConflicts: Rule = (context) => {
  const { findings, resolution } = context;
  if (!resolution?.base.archive) return;
  const takers = new Map<string, Listener>();
  const told = new Set<string>();
  for (const listener of [
    ...configured(resolution),
    ...ofFeatures(context, resolution),
    ...ofPackages(context, resolution),
  ]) {
    for (const { protocol, port } of listener.ports) {
      const key = `${protocol} ${port ?? ''}`;
      const other = takers.get(key);
      if (!other) takers.set(key, listener);
      else if (
        other.who !== listener.who &&
        !(other.isConfigured && listener.isConfigured) &&
        !told.has(`${other.who} ${listener.who}`)
      ) {
        told.add(`${other.who} ${listener.who}`);
        findings.warn(
          listener.path,
          'port_conflict',
          `${listener.who} and ${other.who} both listen on ${protocol} port ${port ?? ''} as they are installed, so one of them does not start. Leave one out, or give one another port.`,
        );
      }
    }
  }
  resolverConflicts(context, resolution.base, resolution);
};

const configured = ({ services }: Resolution): Listener[] =>
  services.map(({ name, config, at }) => ({
    who: name,
    path: `/services/${at}`,
    ports: portsOfService(name, config),
    isConfigured: true,
  }));

function ofFeatures({ draft, catalogue }: RuleContext, { features, services }: Resolution): Listener[] {
  const paths = new Map(texts(draft, 'features').map(({ value, path }) => [catalogue.findFeature(value)?.id, path]));
  const rest = features.filter(({ id }) => !services.some(({ name }) => name === id));
  return rest.map((feature) => ({
    who: feature.id,
    path: paths.get(feature.id) ?? '/features',
    ports: openPorts({ services: [], features: [feature] }),
    isConfigured: false,
  }));
}

/** Packages that the recipe names beside its features. */
function ofPackages({ draft, catalogue }: RuleContext, { features, base }: Resolution): Listener[] {
  const brought = new Set(features.flatMap((feature) => featureOn(feature, base.id).packages));
  const ports = new Map(catalogue.daemons.map((daemon) => [daemon.package, daemon.ports]));
  return texts(draft, 'packages').flatMap(({ value, path }) => {
    const { name } = splitSpec(value);
    const listensOn = ports.get(name);
    return listensOn && !brought.has(name) ? [{ who: name, path, ports: listensOn, isConfigured: false }] : [];
  });
}

/** systemd-resolved has port 53 of two loopback addresses: BIND and Unbound go around it, others do not. */
function resolverConflicts(
  { draft, catalogue, findings }: RuleContext,
  { archive }: BaseImageDto,
  { removedPackages }: Resolution,
): void {
  if (!archive?.packages.includes('systemd-resolved') || removedPackages.includes('systemd-resolved')) return;
  for (const { value, path } of texts(draft, 'packages')) {
    const daemon = catalogue.daemons.find((one) => one.package === splitSpec(value).name);
    if (daemon?.takes_every_address && daemon.ports.some(({ port }) => port === 53))
      findings.warn(
        path,
        'port_conflict',
        `${daemon.package} takes port 53 of every address, and systemd-resolved, which every image holds, has it on 127.0.0.53. Bind it to addresses of its own with a file of the recipe, or remove systemd-resolved in package_overrides.`,
      );
  }
}
