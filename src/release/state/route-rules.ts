/** Checks of `spec.route` that the schema of the CRD cannot express. Pure. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { NO_WEIGHT, SOME_WEIGHTS } from '../../api/app-release.ts';
import { MOST_BACKENDS } from '../../api/route.ts';
import { serviceName } from '../record/names.ts';

/** The first problem of the route, with the field that it is in; undefined if there is none. */
export function routeProblem(spec: AppReleaseSpec, release: string): string | undefined {
  return spec.route && (needsService(spec) ?? ports(spec) ?? weights(spec) ?? backends(spec, release));
}

function needsService({ service }: AppReleaseSpec): string | undefined {
  return service ? undefined : 'spec.route: a route leads to Services: set spec.service';
}

function ports({ route, service }: AppReleaseSpec): string | undefined {
  const names = (service?.ports ?? []).flatMap(({ name }) => name ?? []);
  for (const [index, { port }] of (route?.rules ?? [{}]).entries()) {
    const path = `spec.route.rules[${index}].port`;
    const ways = names.join(', ');
    if (port === undefined && names.length > 1) return `${path}: the Service has several ports: name one of ${ways}`;
    if (port !== undefined && !names.includes(port))
      return `${path}: spec.service.ports has no port named ${port}${names.length > 0 ? `: name one of ${ways}` : ': leave it out'}`;
  }
  return undefined;
}

/** Weights are all given or none: a pool without one would have no share that anybody chose. */
function weights({ stages }: AppReleaseSpec): string | undefined {
  const given = stages.flatMap(({ pools }) => pools).map(({ weight }) => weight);
  if (given.every((weight) => weight === undefined)) return undefined;
  if (given.includes(undefined)) return `spec.stages: ${SOME_WEIGHTS}`;
  return given.some((weight) => weight !== 0) ? undefined : `spec.stages: ${NO_WEIGHT}`;
}

function backends({ stages }: AppReleaseSpec, release: string): string | undefined {
  const pools = stages.flatMap((stage) => stage.pools);
  const count = new Set(pools.map((pool) => serviceName(release, pool))).size;
  if (count <= MOST_BACKENDS) return undefined;
  return `spec.route: the ${pools.length} pools have ${count} Services, and a rule of a route can refer to ${MOST_BACKENDS}: let pools of one stage share a Service (serviceName), or use several releases`;
}
