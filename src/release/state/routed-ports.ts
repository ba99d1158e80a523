/** The ports that a route leads to keep their numbers: a gateway would need time to follow another one. Pure. */
import type { AppReleaseSpec, ServicePort } from '../../api/app-release.ts';
import { serviceName } from '../record/names.ts';
import type { Topology } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import { numberOf, portNumber } from '../traffic/service.ts';
import type { Traffic } from '../traffic/service.ts';
import type { Observed } from './observed.ts';
import type { Group } from './view.ts';

/** The names of the routed ports; undefined: the first port. */
function routedPorts({ route }: Pick<Topology, 'route'>): (string | undefined)[] {
  return route ? [...new Set((route.rules ?? [{}]).map(({ port }) => port))] : [];
}

interface Change {
  port: string;
  from: number;
  to: number | undefined;
}

/** The first routed port that would get another number. The owner of an adopted Service owns its ports. */
function changeOf(
  topology: Pick<Topology, 'route'>,
  traffic: Pick<Traffic, 'service' | 'adopted'>,
  ports: readonly Pick<ServicePort, 'name' | 'port'>[],
): Change | undefined {
  if (traffic.adopted) return undefined;
  for (const name of routedPorts(topology)) {
    const from = portNumber(traffic, name);
    const to = numberOf(ports, name);
    if (from !== undefined && from !== to) return { port: name ?? String(from), from, to };
  }
  return undefined;
}

/** `where`: what has the other number. */
function describe({ port, from, to }: Change, where: string): string {
  return `the route leads to port ${port} at ${from}, and ${where} has it ${to === undefined ? 'not' : `at ${to}`}`;
}

/** Why a recorded revision cannot serve behind the route; undefined if it can. */
export function portObstacle(
  { topology }: { topology: Pick<Topology, 'route'> },
  group: Pick<Group, 'service' | 'adopted'>,
  { number, data }: Revision,
): string | undefined {
  const change = changeOf(topology, group, data.input.ports);
  return change && describe(change, `revision ${number}`);
}

/** Why a spec cannot be released behind its route: a Service that serves has a routed port with another number. */
export function routedPortProblem({ services, release }: Observed, spec: AppReleaseSpec): string | undefined {
  if (!spec.route || !spec.service) return undefined;
  const names = new Set(
    spec.stages.flatMap(({ pools }) => pools).map((pool) => serviceName(release.metadata.name, pool)),
  );
  for (const service of services.filter(({ metadata }) => names.has(metadata.name))) {
    const change = changeOf(spec, { service, adopted: false }, spec.service.ports);
    if (!change) continue;
    const what = describe(change, 'spec.service.ports');
    return `spec.service.ports: Service ${service.metadata.name} serves, ${what}: keep the number and change targetPort; or add another port, let rules of spec.route lead to it once it serves in every pool, and then remove the old one; or remove spec.route`;
  }
  return undefined;
}
