/**
 * The invariants after every write, checked against the true state. If an operator's caches lag behind
 * the true state, a write is checked against the knowledge of its author: a pod whose readiness the author has not seen
 * yet counts as ready, unless an operator's own write removed the pod.
 */
import { LABEL } from '../../src/api/meta.ts';
import type { Knowledge } from './feeds.ts';
import { createAutoscalingRules } from './autoscaling-rules.ts';
import { createBudgetRules } from './budget-rules.ts';
import { createExposureRules } from './exposure-rules.ts';
import { createKinshipRules } from './kinship-rules.ts';
import { createOwnershipRules } from './ownership-rules.ts';
import { createPromotionRules } from './promotion-rules.ts';
import { createRecordRules } from './record-rules.ts';
import { createRollbackRules } from './rollback-rules.ts';
import { createRouteRules } from './route-rules.ts';
import { createServiceRules } from './service-rules.ts';
import { createStatusRules } from './status-rules.ts';
import type { WorldPod } from './pods.ts';
import { deploymentSpec, isLeaving, matches, poolOf, allPods, serves } from './pods.ts';
import { drainMs } from '../../src/release/record/revision.ts';
import type { TruePool } from './truth.ts';
import { deploymentsOf, holdOf, isPaused, poolsOf, selectorOf, specOf, trueReplicas } from './truth.ts';
import type { World, WorldObject, Write } from './world.ts';
import { labelOf, NAMESPACE } from './world.ts';

export type Knows = (actor: string) => Knowledge | undefined;

/** One rule: returns the violation. */
export type WriteRule = (write: Write) => string | undefined;

export interface Invariants {
  /** All violations, in order. */
  violations: string[];
}

export interface Judge {
  world: World;
  knows: Knows;
  /** The operator sees all events before it acts, and is alone: strict checks. */
  calm: boolean;
  /** There is no second operator. */
  alone: boolean;
}

export function watchInvariants(judge: Judge): Invariants {
  const violations: string[] = [];
  const rules = [
    ...createTrafficRules(judge),
    ...createServiceRules(judge),
    ...createRouteRules(judge),
    ...createExposureRules(judge),
    ...createAutoscalingRules(judge),
    ...createBudgetRules(judge),
    ...createRecordRules(judge),
    ...createOwnershipRules(judge),
    ...createRollbackRules(judge),
    ...createPromotionRules(judge),
    ...createKinshipRules(judge),
    ...createStatusRules(),
  ];
  judge.world.onWrite((write) => {
    for (const rule of rules) {
      const violation = rule(write);
      if (violation !== undefined) violations.push(`${write.actor}: ${violation}`);
    }
  });
  return { violations };
}

export function isOperator(actor: string): boolean {
  return actor.startsWith('operator');
}

export function keyOf(release: string): string {
  return `${NAMESPACE}/${release}`;
}

interface Endpoint {
  targetRef: { name: string };
  conditions: { serving: boolean };
}

function createTrafficRules({ world, knows, alone, calm }: Judge): WriteRule[] {
  /** Pods that an operator's scale or delete removed. */
  const taken = new Set<string>();
  /** Deployments that an operator scaled or deleted. */
  const shrunk = new Set<string>();

  const note: WriteRule = ({ actor, kind, before, after, object }) => {
    if (kind === 'Deployment' && isOperator(actor)) {
      const scaled = before && after && deploymentSpec(after).replicas < deploymentSpec(before).replicas;
      if (!after || scaled) shrunk.add(object.metadata.name);
    }
    if (kind === 'Pod' && actor.startsWith('cluster for ') && shrunk.has(actor.slice('cluster for '.length))) {
      taken.add(object.metadata.uid);
    }
    return undefined;
  };

  function isKnownReady(actor: string, release: string, pod: WorldPod): boolean {
    return knows(actor)?.pods.get(keyOf(release))?.get(pod.metadata.name)?.ready === true;
  }

  /** Ready in the true state and in the author's cache. */
  function surely(actor: string, release: string) {
    return (pod: WorldPod) => serves(pod) && isKnownReady(actor, release, pod);
  }

  /** Ready in the author's cache. */
  function maybe(actor: string, release: string) {
    return (pod: WorldPod) => serves(pod) || (isKnownReady(actor, release, pod) && !taken.has(pod.metadata.uid));
  }

  /** Number of ready pods in the author's cache that are gone, if not by a write of an operator. */
  function ghosts(actor: string, release: string, selector: Record<string, string> | undefined): number {
    const cached = [...(knows(actor)?.pods.get(keyOf(release))?.values() ?? [])];
    return cached.filter(
      (pod) =>
        pod.ready &&
        matches(pod, selector) &&
        !taken.has(pod.metadata.uid) &&
        world.get('Pod', pod.metadata.name)?.metadata.uid !== pod.metadata.uid,
    ).length;
  }

  /** The minimum of the pool's wanted replicas in the true state and in the author's cache. */
  function wanted(actor: string, release: string, pool: TruePool): number {
    const seen = poolsOf(release, specOf(knows(actor)?.release.get(keyOf(release)))).find(
      ({ name }) => name === pool.name,
    );
    const scaled = deploymentsOf(world, release, pool.name).map((deployment) => trueReplicas(pool, deployment));
    const given = [pool, seen ?? pool].flatMap(({ autoscaled, replicas }) => (autoscaled ? [] : [replicas]));
    return Math.min(...given, ...scaled);
  }

  /** The pools of the release that exist in the true state and in the author's cache. */
  function livePools(actor: string, release: string): TruePool[] {
    const seen = poolsOf(release, specOf(knows(actor)?.release.get(keyOf(release))));
    return poolsOf(release, specOf(world.get('AppRelease', release))).filter(
      ({ name, service }) => seen.length === 0 || seen.some((pool) => pool.name === name && pool.service === service),
    );
  }

  /** Service → who switched it last. */
  const switchedBy = new Map<string, string>();

  const noteSwitch: WriteRule = ({ actor, kind, before, after }) => {
    if (kind !== 'Service' || !after || selectorOf(before)?.[LABEL.track] === selectorOf(after)?.[LABEL.track])
      return undefined;
    switchedBy.set(after.metadata.name, actor);
    return undefined;
  };

  function switchedByAnother(actor: string, service: string): boolean {
    const by = switchedBy.get(service);
    return by !== undefined && by !== actor && isOperator(by);
  }

  const keepsPodsBehindService: WriteRule = ({ actor, kind, before, after, object }) => {
    const release = labelOf(object, 'release') ?? '';
    if (!isOperator(actor) || !before) return undefined;
    const seen = poolsOf(release, specOf(knows(actor)?.release.get(keyOf(release))));
    const behind = livePools(actor, release).flatMap(({ next, ...pool }) =>
      // The author may not know of the second Service yet.
      [pool.service, seen.some((one) => one.next === next) ? next : undefined].flatMap((service) =>
        service === undefined ? [] : [{ ...pool, service }],
      ),
    );
    for (const pool of behind) {
      const selector = selectorOf(kind === 'Service' ? before : world.get('Service', pool.service));
      const pods = allPods(world).filter((pod) => poolOf(pod) === pool.name && labelOf(pod, 'release') === release);
      const had = pods.filter((pod) => matches(pod, selector)).filter(surely(actor, release)).length;
      const left = leftBehind({ actor, kind, before, object, ...(after && { after }) }, pool, pods, selector, release);
      if (left === undefined || left >= had || left >= wanted(actor, release, pool)) continue;
      if (left >= 1 && isForced(release, pool.name)) continue;
      // The other leader may have scaled a standby down. A return does not wait to read what this leader has not seen.
      if (left >= 1 && !alone && kind === 'Service') continue;
      // The other leader has switched to it while this write, which a webhook delays, was on its way.
      if (left >= 1 && !alone && kind === 'Deployment' && switchedByAnother(actor, pool.service)) continue;
      return `leaves ${left} of ${had} ready pods behind Service ${pool.service} of pool ${pool.name} (${kind} ${object.metadata.name})`;
    }
    return undefined;
  };

  /** With force, all ready pods but the last may be removed. */
  function isForced(release: string, pool: string): boolean {
    const hold = holdOf(world.list('ReleaseRollback'), world.get('AppRelease', release), pool);
    return (hold?.rollback.spec as { force?: boolean } | undefined)?.force === true;
  }

  function leftBehind(
    { actor, kind, before, after }: Write,
    pool: TruePool,
    pods: WorldPod[],
    selector: Record<string, string> | undefined,
    release: string,
  ): number | undefined {
    const counts = maybe(actor, release);
    if (kind === 'Service') {
      if (before?.metadata.name !== pool.service) return undefined;
      const selected = selectorOf(after);
      return pods.filter((pod) => matches(pod, selected) && counts(pod)).length + ghosts(actor, release, selected);
    }
    if (kind !== 'Deployment' || !before || poolOf(before) !== pool.name) return undefined;
    const behind = pods.filter((pod) => matches(pod, selector) && counts(pod));
    const own = behind.filter((pod) => labelOf(pod, 'workload') === before.metadata.name);
    return behind.length - own.length + Math.min(own.length, after ? deploymentSpec(after).replicas : 0);
  }

  const keepsWhatWorks: WriteRule = ({ actor, kind, before, after }) => {
    if (!isOperator(actor) || kind !== 'Deployment' || !before) return undefined;
    if (after && deploymentSpec(after).replicas > 0) return undefined;
    const release = labelOf(before, 'release') ?? '';
    const pool = livePools(actor, release).find(({ name }) => name === poolOf(before));
    if (!pool || wanted(actor, release, pool) === 0) return undefined;
    const pods = allPods(world).filter((pod) => poolOf(pod) === pool.name && labelOf(pod, 'release') === release);
    const own = pods.filter((pod) => labelOf(pod, 'workload') === before.metadata.name);
    const others = pods.filter((pod) => !own.includes(pod)).filter(maybe(actor, release));
    if (others.length > 0 || !own.some(surely(actor, release))) return undefined;
    return `removes ${before.metadata.name}, the last that works in pool ${pool.name}`;
  };

  /** Pod → when an endpoint last listed it as serving (ms since the epoch). */
  const named = new Map<string, number>();

  const noteEndpoints: WriteRule = ({ kind, before, after }) => {
    if (kind !== 'EndpointSlice') return undefined;
    for (const slice of [before, after]) {
      for (const { targetRef, conditions } of (slice?.endpoints ?? []) as Endpoint[]) {
        if (!conditions.serving) continue;
        named.set(targetRef.name, world.now());
      }
    }
    return undefined;
  };

  const drainsFirst: WriteRule = ({ actor, kind, before, after }) => {
    // The clock of a second leader may have started with stale slices.
    if (!alone || !isOperator(actor) || kind !== 'Deployment' || !before) return undefined;
    if (after && deploymentSpec(after).replicas >= deploymentSpec(before).replicas) return undefined;
    const { name } = before.metadata;
    const release = labelOf(before, 'release') ?? '';
    const pool = livePools(actor, release).find((candidate) => candidate.name === poolOf(before));
    const stopped = allPods(world).filter((pod) => labelOf(pod, 'workload') === name && !isLeaving(pod));
    const last = Math.max(...stopped.map(({ metadata }) => named.get(metadata.name) ?? -Infinity));
    const selector = selectorOf(world.get('Service', pool?.service ?? ''));
    // A Service that somebody deleted selected the pods that still serve.
    if (!pool?.service || last === -Infinity || !selector || matches(before, selector)) return undefined;
    const specs = [specOf(world.get('AppRelease', release)), specOf(knows(actor)?.release.get(keyOf(release)))];
    const drains = specs.map((spec) => (spec ? drainMs(spec) : 0));
    if (world.now() - last >= Math.min(...drains)) return undefined;
    return `stops pods of ${name} ${(world.now() - last) / 1000} s after an endpoint named one of them`;
  };

  /** At most one Deployment runs besides the serving one: the standby is removed before a new revision starts. */
  const standbyYields: WriteRule = ({ actor, kind, before, after }) => {
    if (!calm || !isOperator(actor) || kind !== 'Deployment' || before || !after) return undefined;
    const [release, pool] = [labelOf(after, 'release') ?? '', poolOf(after)];
    if (holdOf(world.list('ReleaseRollback'), world.get('AppRelease', release), pool)) return undefined;
    const others = deploymentsOf(world, release, pool).filter(({ metadata }) => metadata.name !== after.metadata.name);
    return others.length <= 1 ? undefined : `starts ${after.metadata.name} beside ${others.length} others`;
  };

  return [standbyYields, note, noteSwitch, keepsPodsBehindService, keepsWhatWorks, noteEndpoints, drainsFirst];
}

export function pausedFor(judge: Judge, actor: string, release: WorldObject): boolean {
  const seen = judge.knows(actor)?.release.get(keyOf(release.metadata.name));
  return isPaused(release) && seen !== undefined && isPaused(seen);
}
