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
import { wantedReplicas } from '../state/target.ts';
import type { PoolView, Rollout, View, Workload } from '../state/view.ts';

/**
 * Two budgets on one pod make its eviction fail, so each selects the pods of one Deployment alone, and there is none
 * where somebody else's selects them. A standby has none: it may go.
 */
export function reconcileBudgets(view: Rollout): Action[] {
  const workloads = view.pools.flatMap((pool) => protectedWorkloads(view, pool));
  const names = new Set(workloads.map(({ name }) => name));
  const removed = view.observed.budgets
    .filter(({ metadata }) => !names.has(metadata.name) && metadata.deletionTimestamp === undefined)
    .map((budget): Action => ({
      kind: 'DeleteBudget',
      message: `remove PodDisruptionBudget ${budget.metadata.name}`,
      target: targetOf(budget),
    }));
  return [...removed, ...workloads.flatMap((workload) => reconcileBudget(view, workload))];
}

function reconcileBudget(view: Rollout, workload: Workload): Action[] {
  const { memory } = view.observed;
  const budget = makeBudget(view, workload);
  const live = view.observed.budgets.find(({ metadata }) => metadata.name === workload.name);
  if (memory.nameConflicts.has(objectKey(budget))) return [];
  const message = `let a drain take ${limitOf(view)} of ${workload.name} at most`;
  const write: Action = { kind: 'ApplyBudget', message, budget, force: live !== undefined };
  return live ? putRight(memory, budget, live, write) : [write];
}

/** Pods that are not ready may always be evicted: they would block a drain for ever. */
export function makeBudget(
  view: Pick<Rollout, 'owner' | 'topology'>,
  { name, pool }: Pick<Workload, 'name' | 'pool'>,
): DesiredBudget {
  const { owner } = view;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name,
      namespace: owner.namespace,
      labels: { [LABEL.managedBy]: 'apprelease', [LABEL.release]: owner.name, [LABEL.pool]: pool },
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      maxUnavailable: limitOf(view),
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: { [LABEL.workload]: name } },
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
