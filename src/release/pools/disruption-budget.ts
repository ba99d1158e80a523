/** One PodDisruptionBudget for each Deployment that serves or is about to: what a drain may take at a time. Pure. */
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
import { wantedReplicas } from '../state/target.ts';
import type { PoolView, Rollout, View, Workload } from '../state/view.ts';

/**
 * Two budgets on one pod make its eviction fail, so each selects the pods of one Deployment alone, and there is none
 * where somebody else's selects them. A standby has none: it may go.
 *
 * What a pool is about to switch to gets its own before the switch. A budget whose Deployment serves no more moves to one
 * that has none, under its name: after a rollback that is one write instead of two.
 */
export function reconcileBudgets(view: Rollout): Action[] {
  const standing = view.observed.budgets.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const workloads = view.pools.flatMap((pool) => protectedWorkloads(view, pool));
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

/** Each workload's budget: the one that selects it, else the one of its name, else one of its pool that is left over. */
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

/** The Deployment whose pods it selects. */
function selectedBy({ spec }: Budget): string | undefined {
  return spec.selector?.matchLabels?.[LABEL.workload];
}

function reconcileBudget(view: Rollout, workload: Workload, live: Budget | undefined, taken: Set<string>): Action[] {
  const { memory } = view.observed;
  const name = live?.metadata.name ?? freeName(view, workload, taken);
  const budget = makeBudget(view, workload, name);
  if (memory.nameConflicts.has(objectKey(budget))) return [];
  const message = `let a drain take ${limitOf(view)} of ${workload.name} at most`;
  const write: Action = { kind: 'ApplyBudget', message, budget, force: live !== undefined };
  if (!live) return [write];
  // What it is to be is known: nobody is asked before it moves.
  return putRight(memory, budget, live, write, selectedBy(live) === workload.name ? 'AskFirst' : 'AtOnce');
}

/** The Deployment's, unless a budget that has moved has it. */
function freeName({ owner }: View, { name, pool }: Workload, taken: ReadonlySet<string>): string {
  return taken.has(name) ? objectName(owner.name, pool) : name;
}

/** Pods that are not ready may always be evicted: they would block a drain for ever. */
export function makeBudget(
  view: Pick<Rollout, 'owner' | 'topology'>,
  workload: Pick<Workload, 'name' | 'pool'>,
  name = workload.name,
): DesiredBudget {
  const { owner } = view;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name,
      namespace: owner.namespace,
      labels: { [LABEL.managedBy]: 'apprelease', [LABEL.release]: owner.name, [LABEL.pool]: workload.pool },
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

/** What serves, and what the pool is about to switch to. */
function servingWorkloads(pool: PoolView): Workload[] {
  const all = [pool.current, pool.target?.workload].filter((workload) => workload !== undefined);
  return [...new Set(all)];
}

/** A budget that lets all pods go at once is none. */
function limits(view: Rollout, pool: PoolView, workload: Workload): boolean {
  const replicas = wantedReplicas(pool, workload);
  return intOrPercentOf(limitOf(view), replicas) < replicas;
}

/** Somebody else's budget on the same pods. */
function foreignBudget({ observed }: Rollout, { deployment }: Workload): Budget | undefined {
  const labels = deployment.spec.template.metadata?.labels ?? {};
  // In policy/v1 an empty selector means every pod, and none means no pod.
  return observed.foreignBudgets.find(({ spec }) => spec.selector !== undefined && selects(spec.selector, labels));
}

export function disruptionLimited(view: View): ConditionDraft {
  const type = 'DisruptionLimited';
  const nothing = { type, status: 'False', reason: 'NothingToLimit', message: 'nothing is served yet' } as const;
  if (view.kind === 'Unknown') return nothing;
  const served = view.pools.flatMap((pool) => (pool.current ? [{ pool, workload: pool.current }] : []));
  for (const { pool, workload } of served) {
    const budget = foreignBudget(view, workload);
    if (budget) {
      const message = `pool ${pool.name}: PodDisruptionBudget ${budget.metadata.name} selects its pods, so that the operator makes none: two on one pod keep every drain waiting`;
      return { type, status: 'True', reason: 'ForeignBudget', message };
    }
  }
  if (served.length === 0) return nothing;
  const bare = served.filter(({ pool, workload }) => !limits(view, pool, workload));
  if (bare.length > 0) {
    const names = bare.map(({ pool }) => pool.name).join(', ');
    const message = `a drain may take all pods at once in ${names}: give more replicas than disruption.maxUnavailable (${limitOf(view)})`;
    return { type, status: 'False', reason: 'NothingToLimit', message };
  }
  return { type, status: 'True', reason: 'Budgeted', message: `a drain may take ${limitOf(view)} of a pool at a time` };
}
