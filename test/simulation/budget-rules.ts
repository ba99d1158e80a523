/** What a drain may take: a budget goes ahead of each switch forward, and no pod ever has two. */
import type { BudgetSpec } from '../../src/release/record/kube-objects.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator } from './invariants.ts';
import { matches, allPods, poolOf, serves } from './pods.ts';
import type { WorldPod } from './pods.ts';
import { revisionOf, selectorOf } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createBudgetRules({ world, calm }: Judge): WriteRule[] {
  function budgetsOn(pod: WorldPod): WorldObject[] {
    return world.list('PodDisruptionBudget').filter(({ spec }) => {
      const { matchLabels } = (spec as BudgetSpec).selector ?? {};
      return matchLabels !== undefined && matches(pod, matchLabels);
    });
  }

  /** Ready pods that a Service leads to. */
  function behind(service: WorldObject): WorldPod[] {
    return allPods(world).filter((pod) => serves(pod) && matches(pod, selectorOf(service)));
  }

  /** On the way back traffic goes first. */
  const goesAheadOfASwitch: WriteRule = ({ actor, kind, before, after }) => {
    if (!calm || !isOperator(actor) || kind !== 'Service' || !before || !after) return undefined;
    const [old, next] = [behind(before), behind(after)];
    const isForward = (revisionOf(next[0]) ?? 0) > Math.max(0, ...old.map((pod) => revisionOf(pod) ?? 0));
    // A budget would not limit the eviction of a single pod.
    if (!isForward || old.length === 0 || next.length === 1 || !old.every((pod) => budgetsOn(pod).length > 0))
      return undefined;
    const bare = next.find((pod) => budgetsOn(pod).length === 0);
    return bare && `switches Service ${after.metadata.name} to ${bare.metadata.name}, which has no budget yet`;
  };

  const comesAlone: WriteRule = ({ actor, kind, after }) => {
    if (!calm || !isOperator(actor) || kind !== 'PodDisruptionBudget' || !after) return undefined;
    const pod = allPods(world).find((one) => labelOf(one, 'release') !== undefined && budgetsOn(one).length > 1);
    return pod && `gives ${pod.metadata.name} of pool ${poolOf(pod)} two budgets, so that no drain can evict it`;
  };

  return [goesAheadOfASwitch, comesAlone];
}
