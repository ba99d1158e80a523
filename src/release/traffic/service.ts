/** What a Service says about traffic: the track that it selects, and what the operator noted on it. Pure. */
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { ServicePort } from '../../api/app-release.ts';
import { servicePort } from '../../api/app-release.ts';
import type { Service } from '../record/kube-objects.ts';
import type { Topology } from '../record/recorded-data.ts';
import { samePorts } from '../record/same-pods.ts';

/** The traffic of a group. Rules ask the functions of this folder about it and do not read the Service. */
export interface Traffic {
  /** The name of the Service, which may not exist yet; absent for a release without Services. */
  serviceName?: string;
  /** The Service that the operator may write to. Only this folder reads it. */
  service?: Service;
  /** The Service belongs to somebody else, and its annotation lets the operator own the selector. */
  adopted: boolean;
  /** The message if the name of the Service belongs to somebody else. */
  taken?: string;
  /** The track that the traffic goes to. */
  track?: string;
  /** The second Service of a stage with match or exposure. */
  next?: NextTraffic;
}

/** The Service `<service>-next`: it leads to the revision that entered last, once its pods are ready, else where the first leads. */
export interface NextTraffic {
  serviceName: string;
  service?: Service;
  taken?: string;
  track?: string;
}

export function selectedTrack({ spec }: Pick<Service, 'spec'>): string | undefined {
  return spec.selector?.[LABEL.track];
}

/** Whether it is the second Service of a pool. */
export function isNext({ metadata }: Pick<Service, 'metadata'>): boolean {
  return metadata.labels?.[LABEL.next] !== undefined;
}

/** The number of the last served revision, even if somebody changed the selector; NaN if there is none. */
export function notedRevision({ metadata }: Pick<Service, 'metadata'>): number {
  return Number(metadata.annotations?.[ANNOTATION.revision] ?? Number.NaN);
}

/** When the Service was last switched (RFC 3339), and the track that it selected before. */
export function lastSwitch({ metadata: { annotations = {} } }: Pick<Service, 'metadata'>): {
  at: string | undefined;
  from: string | undefined;
} {
  return { at: annotations[ANNOTATION.switchedAt], from: annotations[ANNOTATION.previousTrack] };
}

/** The number of a port of the group's Service, by its name. Undefined: there is none. */
export function portNumber({ service }: Pick<Traffic, 'service'>, name: string | undefined): number | undefined {
  return numberOf(service?.spec.ports ?? [], name);
}

/** The number of the port with a name; without a name, of the first port. */
export function numberOf(
  ports: readonly Pick<ServicePort, 'name' | 'port'>[],
  name: string | undefined,
): number | undefined {
  return (name === undefined ? ports.at(0) : ports.find((port) => port.name === name))?.port;
}

/** The ports of these Services; those of the spec for one that somebody else made. Undefined if they differ or are not ours. */
export function commonPorts({ service: specified }: Topology, traffics: Iterable<Traffic>): ServicePort[] | undefined {
  const all = [...traffics].map(({ service, adopted }) =>
    service && !adopted ? servicePort.array().safeParse(service.spec.ports ?? []).data : (specified?.ports ?? []),
  );
  const [ports = []] = all;
  return all.every((others) => others && samePorts(others, ports)) ? ports : undefined;
}
