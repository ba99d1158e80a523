/** What an exposure may do: shift weights to pods that gateways know, and switch a Service only while it has no traffic. */
import { parseDuration } from '../../src/api/common.ts';
import { LABEL } from '../../src/api/meta.ts';
import { ROUTE_KINDS } from '../../src/api/route.ts';
import type { BackendRef } from '../../src/release/record/kube-objects.ts';
import { routeSpec } from './gateway.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator, keyOf, pausedFor } from './invariants.ts';
import { deploymentsOf, holdOf, poolsOf, revisionOf, selectorOf, specOf } from './truth.ts';
import type { TruePool } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

/** A state of a route that gateways may have, until they have followed the next one. */
interface Version {
  generation: number;
  weights: ReadonlyMap<string, number>;
  acceptedAt?: number;
}

export function createExposureRules(judge: Judge): WriteRule[] {
  const { world, knows, alone, calm } = judge;
  /** Kind/name → the states of the route, oldest first. */
  const routes = new Map<string, Version[]>();
  /** Service → since when an endpoint of it is ready (ms since the epoch). */
  const reachable = new Map<string, number>();

  function settleOf(release: string): number {
    return parseDuration(specOf(world.get('AppRelease', release))?.route?.settle ?? '') ?? 0;
  }

  const followRoutes: WriteRule = ({ kind, after, object }) => {
    if (!isRoute(kind)) return undefined;
    const key = `${kind}/${object.metadata.name}`;
    if (!after) routes.delete(key);
    else noteVersion(key, after);
    return undefined;
  };

  function noteVersion(key: string, route: WorldObject): void {
    const { generation = 1 } = route.metadata;
    const versions = routes.get(key) ?? [];
    routes.set(key, versions);
    if (versions.at(-1)?.generation !== generation) versions.push({ generation, weights: weightsOf(route) });
    const { parents = [] } = (route.status ?? {}) as { parents?: { conditions: { observedGeneration?: number }[] }[] };
    const seen = parents.flatMap(({ conditions }) =>
      conditions.map(({ observedGeneration = 0 }) => observedGeneration),
    );
    const last = versions.at(-1);
    if (last && seen.length > 0 && Math.min(...seen) >= generation) last.acceptedAt ??= world.now();
  }

  /** Whether a gateway that follows within `settle` may still send requests to a Service. */
  function mayHaveTraffic(service: string, settle: number): boolean {
    return [...routes.values()].some((versions) =>
      versions.some((version, index) => {
        const isLeft = versions
          .slice(index + 1)
          .some(({ acceptedAt = Number.POSITIVE_INFINITY }) => acceptedAt + settle <= world.now());
        return !isLeft && (version.weights.get(service) ?? 0) > 0;
      }),
    );
  }

  const followEndpoints: WriteRule = ({ kind, after, object }) => {
    if (kind !== 'EndpointSlice') return undefined;
    const name = object.metadata.name.replace(/-slice$/, '');
    const endpoints = (after?.endpoints ?? []) as { conditions: { ready: boolean } }[];
    if (!endpoints.some(({ conditions }) => conditions.ready)) reachable.delete(name);
    else if (!reachable.has(name)) reachable.set(name, world.now());
    return undefined;
  };

  /** The pools behind a Service whose stage has an exposure, for the author and in truth. */
  function exposedPools(actor: string, release: string, service: string): TruePool[] {
    const specs = [specOf(world.get('AppRelease', release)), specOf(knows(actor)?.release.get(keyOf(release)))];
    const [own = [], seen = []] = specs.map((spec) =>
      poolsOf(release, spec).filter((pool) => pool.service === service && pool.isExposed),
    );
    return seen.length > 0 ? own : [];
  }

  /** A gateway that programs endpoints by the Service has a gap when the selector changes. */
  const switchesWithoutTraffic: WriteRule = ({ actor, kind, before, after }) => {
    if (!alone || !isOperator(actor) || kind !== 'Service' || !before || !after) return undefined;
    const { name } = after.metadata;
    const release = labelOf(after, 'release') ?? '';
    const [from, to] = [before, after].map((service) => selectorOf(service)?.[LABEL.track]);
    if (from === to) return undefined;
    for (const pool of exposedPools(actor, release, name)) {
      const hold = holdOf(world.list('ReleaseRollback'), world.get('AppRelease', release), pool.name);
      const own = deploymentsOf(world, release, pool.name);
      const [old, young] = [from, to].map((track) =>
        revisionOf(own.find((deployment) => labelOf(deployment, 'track') === track)),
      );
      if (hold || old === undefined || young === undefined || young <= old) continue;
      if (mayHaveTraffic(name, settleOf(release)))
        return `switches Service ${name} from revision ${old} to ${young}, though gateways may still lead requests to it`;
    }
    return undefined;
  };

  const sharesWhatGatewaysKnow: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || !isRoute(kind) || !after) return undefined;
    const release = labelOf(after, 'release') ?? '';
    const object = world.get('AppRelease', release);
    const was = before ? weightsOf(before) : new Map<string, number>();
    for (const [name, weight] of weightsOf(after)) {
      if (!name.endsWith('-next') || weight <= (was.get(name) ?? 0)) continue;
      const isFirst = (was.get(name) ?? 0) === 0;
      if (!calm || !isFirst) continue;
      if (object && pausedFor(judge, actor, object))
        return `gives ${name} its first weight while the release is paused`;
      const since = reachable.get(name);
      if (since === undefined || since + settleOf(release) > world.now())
        return `gives ${name} its first weight ${since === undefined ? 'without' : `${(world.now() - since) / 1000} s after the first of its`} ready endpoints`;
    }
    return undefined;
  };

  return [followRoutes, followEndpoints, switchesWithoutTraffic, sharesWhatGatewaysKnow];
}

function isRoute(kind: string): boolean {
  return ROUTE_KINDS.some((route) => route === kind);
}

/** The weights of the rules that lead to all pools. */
export function weightsOf(route: WorldObject): Map<string, number> {
  const rules = (routeSpec(route).rules ?? []).map(({ backendRefs = [] }) => backendRefs);
  return new Map(rules.filter(isWhole).flatMap((backends) => backends.map(({ name, weight = 1 }) => [name, weight])));
}

/** Whether the rule has no header of a stage's match. */
export function isWhole(backends: readonly BackendRef[]): boolean {
  return backends.some(({ name }) => !name.endsWith('-next'));
}
