/** Pods of the release on VMs whose labels no longer make them VMs of the pool. Pure. */
import { onceForObject } from '../../lib/once.ts';
import type { Node } from '../../scheduling/objects.ts';
import { matchesSelector } from '../../scheduling/select.ts';
import type { View } from '../state/view.ts';

/** Nobody moves these pods: the scheduler reads labels once, and the operator stops no pod that serves. */
export function podsOnLeftVms({ pools, observed }: View): string | undefined {
  const nodes = byName(observed.vms);
  const found = pools.flatMap(({ name, workloads }) =>
    workloads.flatMap(({ pods, placement }) =>
      pods.flatMap(({ nodeName = '', metadata }) => {
        const node = nodes.get(nodeName);
        return node && !matchesSelector(node, placement.nodeSelector)
          ? [{ pool: name, pod: metadata.name, vm: nodeName, selector: placement.nodeSelector }]
          : [];
      }),
    ),
  );
  const [first] = found.toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  if (!first) return undefined;
  const more = found.length > 1 ? ` (and ${found.length - 1} more pods)` : '';
  const labels = Object.entries(first.selector).map(([key, value]) => `${key}=${value}`);
  return `pool ${first.pool}: pod ${first.pod}${more} runs on VM ${first.vm}, which no longer has the labels of the pool (${labels.join(', ')}). The pod runs on: drain the VM, or label it again`;
}

const byName = onceForObject((vms: readonly Node[]) => new Map(vms.map((node) => [node.metadata.name, node])));
