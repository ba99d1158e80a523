/** Builds the view, which all rules read, from the observed objects. Pure. */
import type { Stage } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { once, onceForKey, onceForObject } from '../../lib/once.ts';
import { drainedSince } from '../traffic/drained-since.ts';
import { groupKeys } from './group-key.ts';
import { heldNames } from './held-names.ts';
import { ledgerName } from '../record/names.ts';
import type { Observed, OwnedObjects } from './observed.ts';
import { isHandedOver, isOurs, ownershipOf } from '../record/ownership.ts';
import type { StrategyType } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { parseLedger, parseRevision } from '../record/revision.ts';
import { wantedReplicas } from './pool-size.ts';
import { effectiveStrategy, poolTarget } from './target.ts';
import type { SpecProblem } from './valid-spec.ts';
import type { Group, PoolMove, PoolState, PoolView, Rollout, Seen, Shares, View, Wait, Workload } from './view.ts';
import type { GroupState } from './view-pools.ts';
import { viewGroups } from './view-pools.ts';
import { isScribbled, viewWorkloads } from './view-workloads.ts';
import { previouslyWanted, viewSpec } from './wanted.ts';

/** Rules that need all stages of a release; see src/release/stages and src/release/route. */
export interface WholeRules {
  gate: (rollout: Rollout, stage: Stage, revision: Revision) => Wait | undefined;
  moves: (rollout: Rollout) => ReadonlyMap<PoolView, PoolMove>;
  routed: (rollout: Rollout) => Shares | undefined;
}

/** `problem`: the exception of a rule in the previous attempt to build the view. */
export function viewRelease(everything: Observed, now: number, rules: WholeRules, problem?: SpecProblem): View {
  const observed = ofThisRelease(everything);
  const { release } = observed;
  const revisions = observed.revisions
    .flatMap((object) => parseRevision(object) ?? [])
    .sort((a, b) => a.number - b.number);
  const ledgerObject = observed.revisions.find(({ metadata }) => metadata.name === ledgerName(release.metadata.name));
  const record = parseLedger(ledgerObject);
  const viewed = viewSpec(observed, revisions, record, problem);
  const { spec, wanted } = viewed;
  const found = viewWorkloads(observed, viewed.topology, revisions);
  const lastWanted = wanted.state === 'Recorded' ? wanted.revision : previouslyWanted(revisions, record);
  const paused =
    release.metadata.annotations?.[ANNOTATION.paused] ?? (spec?.paused ? 'spec.paused is true' : undefined);
  const seen: Seen = {
    now,
    observed,
    owner: release.metadata,
    revisions,
    ...(ledgerObject && { ledgerObject }),
    record,
    ...(lastWanted && { lastWanted }),
    ...(paused !== undefined && { paused }),
    workloads: found.filter((workload) => !isScribbled(workload)),
    heldNames: heldNames(everything),
    drained: once(() => drainedSince(everything.memory.drained, everything, now)),
  };
  if (!viewed.topology) return { ...seen, ...viewed, kind: 'Unknown', groups: [], pools: [] };
  return viewRollout({ ...seen, ...viewed }, found, rules);
}

type Base = Omit<Rollout, 'kind' | 'groups' | 'pools' | 'gate' | 'routed'>;

/**
 * Expensive values, and values that may throw, are computed when a rule reads them. A rule that throws must not stop the
 * other rules.
 */
function viewRollout(base: Base, found: readonly Workload[], rules: WholeRules): Rollout {
  const { observed, owner, topology, revisions, wanted, lastWanted } = base;
  const states = viewGroups(observed, topology, revisions, found, base);
  const isRolledOut =
    wanted.state === 'Recorded' && states.every(({ pools }) => pools.every(({ served }) => served === lastWanted));
  const keys = onceForKey((strategy: StrategyType) => groupKeys(states, topology, owner.name, strategy));
  const moves = once(() => rules.moves(rollout));
  const routed = once(() => rules.routed(rollout));

  function viewPool(state: PoolState, group: Group): PoolView {
    const target = once(() => poolTarget(rollout, pool));
    const pool: PoolView = {
      ...state,
      group,
      strategy: effectiveStrategy(topology, state, isRolledOut),
      keyUnder: (strategy) => keys(strategy).get(state.name) ?? '',
      replicas: wantedReplicas(state, state.current),
      get target() {
        return target();
      },
      get move() {
        return moves().get(pool);
      },
    };
    return pool;
  }

  function viewGroup(state: GroupState): Group {
    const pools: PoolView[] = [];
    const group: Group = { ...state, pools };
    pools.push(...state.pools.map((pool) => viewPool(pool, group)));
    return group;
  }

  const groups = states.map(viewGroup);
  const rollout: Rollout = {
    ...base,
    kind: 'Rollout',
    groups,
    pools: groups.flatMap(({ pools }) => pools),
    gate: onceForObject((stage: Stage) =>
      wanted.state === 'Recorded' ? rules.gate(rollout, stage, wanted.revision) : undefined,
    ),
    get routed() {
      return routed();
    },
  };
  return rollout;
}

/**
 * Keeps only objects that belong to this release, not objects of others with its labels or of an earlier release of this
 * name.
 */
function ofThisRelease(observed: Observed): Observed {
  const { metadata: owner } = observed.release;
  function own<T extends { metadata: ObjectMeta }>(objects: readonly T[]): T[] {
    return objects.filter((object) => isOurs(object, owner));
  }
  const services = own(observed.services).filter((service) => !isHandedOver(service, owner));
  const budgets = [...observed.budgets, ...observed.foreignBudgets];
  const pods = observed.pods.filter((pod) => pod.metadata.labels?.[LABEL.pull] === undefined || isOurs(pod, owner));
  const owned: OwnedObjects = {
    revisions: own(observed.revisions),
    deployments: own(observed.deployments),
    services,
    autoscalers: own(observed.autoscalers),
    httpRoutes: own(observed.httpRoutes),
    grpcRoutes: own(observed.grpcRoutes),
    budgets: own(budgets),
    // Pods of a version belong to the release of their Deployment. The array keeps its identity for caches if nothing is
    // removed.
    pods: pods.length === observed.pods.length ? observed.pods : pods,
  };
  return {
    ...observed,
    ...owned,
    foreignServices: [
      ...observed.services.filter((service) => !services.includes(service)),
      ...observed.foreignServices,
    ]
      // A Service of an earlier release of this name is garbage collected with its owner.
      .filter(({ metadata }) => ownershipOf(metadata, owner) !== 'LeftBehind'),
    foreignBudgets: budgets.filter((budget) => !isOurs(budget, owner)),
  };
}
