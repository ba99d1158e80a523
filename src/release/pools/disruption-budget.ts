/** One PodDisruptionBudget for each served Deployment and each target limits what a drain evicts at a time. Pure. */
import { LABEL } from '../../api/meta.ts';
import { selects } from '../../scheduling/shape.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import { objectKey, putRight } from '../state/drift.ts';
import type { Budget, DesiredBudget } from '../record/kube-objects.ts';
import { intOrPercentOf } from '../record/quantity.ts';
import { ownerReference } from '../record/desired.ts';
import { objectName } from '../record/names.ts';
import { withWorkloadMetadata } from '../record/workload-metadata.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { servingLeft } from './left-pools.ts';
import type { PoolView, Rollout, View, Workload } from '../state/view.ts';

/**
 * The eviction of a pod with two budgets fails. So each budget selects the pods of one Deployment, and a Deployment that
 * another budget selects gets none. A standby has no budget: a drain may take all of it.
 */
export function reconcileBudgets(view: Rollout): Action[] {
  const standing = view.observed.budgets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const workloads = [...view.pools.flatMap((pool) => protectedWorkloads(view, pool)), ...protectedLeft(view)];
  const budgets = assignBudgets(standing, workloads);
  const kept = new Set(budgets.values());
  const removed = standing
    .filter((budget) => !kept.has(budget))
    .map((budget): Action => ({
      kind: 'DeleteBudget',
      message: `remove PodDisruptionBudget ${budget.metadata.name}`,
      target: targetOf(budget),
    }));
  const names = new Set([...kept].map(({ metadata }) => metadata.name));
  return [
    ...removed,
    ...workloads.flatMap((workload) => reconcileBudget(view, workload, budgets.get(workload), names)),
  ];
}

/** The budget of each workload: the one that selects it, else the one with its name, else an unused one of its pool. */
function assignBudgets(standing: readonly Budget[], workloads: readonly Workload[]): Map<Workload, Budget> {
  const left = new Set(standing);
  const assigned = new Map<Workload, Budget>();
  const ways: ((budget: Budget, workload: Workload) => boolean)[] = [
    (budget, { name }) => budget.metadata.name === name && selectedBy(budget) === name,
    (budget, { name }) => selectedBy(budget) === name,
    ({ metadata }, { name }) => metadata.name === name,
    ({ metadata }, { pool }) => metadata.labels?.[LABEL.pool] === pool,
  ];
  for (const fits of ways) {
    for (const workload of workloads) {
      const budget = assigned.has(workload) ? undefined : [...left].find((one) => fits(one, workload));
      if (!budget) continue;
      assigned.set(workload, budget);
      left.delete(budget);
    }
  }
  return assigned;
}

/** The Deployment whose pods the budget selects. */
function selectedBy({ spec }: Budget): string | undefined {
  return spec.selector?.matchLabels?.[LABEL.workload];
}

function reconcileBudget(view: Rollout, workload: Workload, live: Budget | undefined, taken: Set<string>): Action[] {
  const { memory } = view.observed;
  const name = live?.metadata.name ?? freeName(view, workload, taken);
  const budget = makeBudget(view, workload, name);
  if (memory.nameConflicts.has(objectKey(budget))) return [];
  const message = `let a drain evict at most ${limitOf(view)} of the pods of ${workload.name} at a time`;
  const write: Action = { kind: 'ApplyBudget', message, desired: budget, force: live !== undefined };
  if (!live) return [write];
  // What it is to be is known: nobody is asked before it moves.
  return putRight(memory, budget, live, write, selectedBy(live) === workload.name ? 'AskFirst' : 'AtOnce');
}

/** The name of the Deployment, unless a moved budget has it. */
function freeName({ owner }: View, { name, pool }: Workload, taken: ReadonlySet<string>): string {
  return taken.has(name) ? objectName(owner.name, pool) : name;
}

/** A drain may always evict pods that are not ready: such pods would block it for ever. */
export function makeBudget(
  view: Pick<Rollout, 'owner' | 'topology'>,
  workload: Pick<Workload, 'name' | 'pool'>,
  name = workload.name,
): DesiredBudget {
  const { owner, topology } = view;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name,
      namespace: owner.namespace,
      ...withWorkloadMetadata(topology, {
        labels: { [LABEL.managedBy]: 'apprelease', [LABEL.release]: owner.name, [LABEL.pool]: workload.pool },
      }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      maxUnavailable: limitOf(view),
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: { [LABEL.workload]: workload.name } },
    },
  };
}

function limitOf({ topology }: Pick<Rollout, 'topology'>): number | string {
  return topology.disruption.maxUnavailable;
}

function protectedWorkloads(view: Rollout, pool: PoolView): Workload[] {
  return servingWorkloads(pool).filter(
    (workload) => limits(view, pool, workload) && foreignBudget(view, workload) === undefined,
  );
}

/** The Deployments of pools that left the spec and still serve. */
function protectedLeft(view: Rollout): Workload[] {
  return servingLeft(view).filter((workload) => {
    const replicas = workload.deployment.spec.replicas ?? 0;
    return intOrPercentOf(limitOf(view), replicas) < replicas && foreignBudget(view, workload) === undefined;
  });
}

/** The served Deployment and the target. */
function servingWorkloads(pool: PoolView): Workload[] {
  const all = [pool.current, pool.target?.workload].filter((workload) => workload !== undefined);
  return [...new Set(all)];
}

/** A budget that allows the eviction of all pods at once limits nothing. */
function limits(view: Rollout, pool: PoolView, workload: Workload): boolean {
  const replicas = wantedReplicas(pool, workload);
  return intOrPercentOf(limitOf(view), replicas) < replicas;
}

/** A budget that is not the release's own and selects the same pods. */
function foreignBudget({ observed }: Rollout, { deployment }: Workload): Budget | undefined {
  const labels = deployment.spec.template.metadata?.labels ?? {};
  // In policy/v1 an empty selector selects every pod; a budget without a selector selects none.
  return observed.foreignBudgets.find(({ spec }) => spec.selector !== undefined && selects(spec.selector, labels));
}

export function disruptionLimited(view: View): ConditionDraft {
  const type = 'DisruptionLimited';
  const nothing = {
    type,
    status: 'False',
    reason: 'NothingToLimit',
    message: 'no pool serves a revision yet',
  } as const;
  if (view.kind === 'Unknown') return nothing;
  const served = view.pools.flatMap((pool) => (pool.current ? [{ pool, workload: pool.current }] : []));
  for (const { pool, workload } of served) {
    const budget = foreignBudget(view, workload);
    if (budget) {
      const message = `pool ${pool.name}: PodDisruptionBudget ${budget.metadata.name} selects the pods of the pool, so the operator creates none: a pod with two budgets blocks every drain`;
      return { type, status: 'True', reason: 'ForeignBudget', message };
    }
  }
  if (served.length === 0) return nothing;
  const bare = served.filter(({ pool, workload }) => !limits(view, pool, workload));
  if (bare.length > 0) {
    const names = bare.map(({ pool }) => pool.name).join(', ');
    const message = `a drain may evict all pods at once in ${names}: set more replicas than disruption.maxUnavailable (${limitOf(view)})`;
    return { type, status: 'False', reason: 'NothingToLimit', message };
  }
  return {
    type,
    status: 'True',
    reason: 'Budgeted',
    message: `a drain may evict ${limitOf(view)} of a pool at a time`,
  };
}
