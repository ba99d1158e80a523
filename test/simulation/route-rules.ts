/** What a route may lead to: Services that exist, and never to none of them. */
import { ROUTE_KINDS } from '../../src/api/route.ts';
import type { BackendRef } from '../../src/release/record/kube-objects.ts';
import { routeSpec } from './gateway.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator } from './invariants.ts';
import { allPods, matches, serves } from './pods.ts';
import { LABEL } from '../../src/api/meta.ts';
import { isWhole, weightsOf } from './exposure-rules.ts';
import type { TruePool } from './truth.ts';
import { conditionOf, holdOf, poolsOf, selectorOf, specOf } from './truth.ts';
import type { World, WorldObject } from './world.ts';

export function createRouteRules({ world, knows }: Judge): WriteRule[] {
  const leadsSomewhere: WriteRule = ({ actor, kind, after }) => {
    if (!isOperator(actor) || !ROUTE_KINDS.some((route) => route === kind) || !after) return undefined;
    for (const backends of backendsOf(after)) {
      if (backends.length === 0) return `lets ${kind} ${after.metadata.name} lead nowhere`;
      if (backends.every(({ weight }) => weight === 0))
        return `gives every backend of ${kind} ${after.metadata.name} the weight 0`;
      // Somebody else may have deleted a Service that the author still knows.
      const missing = backends.find(({ name }) => !world.get('Service', name) && !knows(actor));
      if (missing)
        return `lets ${kind} ${after.metadata.name} lead to the Service ${missing.name}, which does not exist`;
    }
    return undefined;
  };
  return [leadsSomewhere];
}

function backendsOf(route: WorldObject): BackendRef[][] {
  return (routeSpec(route).rules ?? []).map(({ backendRefs = [] }) => backendRefs);
}

/** The fault of the route at the end, when everything has settled. */
export function checkRoute(world: World, release: WorldObject): string | undefined {
  const { name } = release.metadata;
  const spec = specOf(release);
  const route = spec?.route;
  const condition = conditionOf(release, 'TrafficRouted');
  if (!route || conditionOf(release, 'Stalled')?.status === 'True') return undefined;
  const services = new Set(poolsOf(name, spec).flatMap(({ service }) => service ?? []));
  const standing = [...services].filter((service) => world.get('Service', service));
  const live = world.get(route.kind, route.name ?? name);
  if (standing.length === 0) return undefined;
  if (!live) return `there is no ${route.kind}, but ${condition?.reason ?? 'no condition'}`;
  if (condition?.status !== 'True')
    return `TrafficRouted is ${condition?.status ?? 'absent'} (${condition?.message ?? ''})`;
  const pools = poolsOf(name, spec);
  const second = pools.flatMap(({ next, isExposed }) => (next !== undefined && isExposed ? [next] : []));
  const wanted = [...new Set([...standing, ...second.filter((service) => world.get('Service', service))])];
  for (const backends of backendsOf(live).filter(isWhole)) {
    const named = backends.map((backend) => backend.name).toSorted();
    if (named.join() !== wanted.toSorted().join())
      return `the route leads to ${named.join(', ')}, and the pools have ${wanted.join(', ')}`;
    const up = backends.filter((backend) => hasReadyPod(world, backend.name));
    const led = backends.filter(({ weight }) => weight !== 0);
    const dark = led.find((backend) => !up.includes(backend));
    if (dark && up.some(({ weight }) => weight !== 0)) return `the route leads to ${dark.name}, which has no ready pod`;
  }
  return checkNext(world, release, pools, weightsOf(live));
}

/** Both Services of a pool lead to the same pods at the end, and the first one has the traffic. */
function checkNext(
  world: World,
  release: WorldObject,
  pools: readonly TruePool[],
  weights: ReadonlyMap<string, number>,
): string | undefined {
  const ready = conditionOf(release, 'Ready');
  for (const { service = '', next, name } of pools) {
    const [first, second] = [service, next ?? ''].map((one) => world.get('Service', one));
    if (next === undefined || !first) continue;
    if (!second) return `pool ${name} has no Service ${next}`;
    const isHeld = holdOf(world.list('ReleaseRollback'), release, name)?.pool.completedAt !== undefined;
    if (ready?.status !== 'True' && !isHeld) continue;
    const [track, other] = [first, second].map((one) => selectorOf(one)?.[LABEL.track]);
    if (track !== other) return `${next} leads to ${other ?? 'nothing'}, and ${service} to ${track ?? 'nothing'}`;
    if ((weights.get(next) ?? 0) > 0) return `${next} still has the weight ${weights.get(next) ?? 0}`;
  }
  return undefined;
}

function hasReadyPod(world: World, name: string): boolean {
  const selector = selectorOf(world.get('Service', name));
  return allPods(world).some((pod) => serves(pod) && matches(pod, selector));
}
