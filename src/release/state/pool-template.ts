/** The pods that a revision has in a pool, and the VMs that are for them. Pure. */
import type { PodTemplate } from '../../api/app-release.ts';
import { isOpen } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { admits, podShape } from '../../scheduling/shape.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { effectiveStrategy, wantedKey } from './target.ts';
import type { PoolView, View } from './view.ts';

/** Placed as the pool is wanted to be. */
export function poolTemplate(
  view: View,
  pool: PoolView,
  revision: Revision,
  placed: Pick<WorkloadIdentity, 'strategy' | 'key'> = {
    strategy: effectiveStrategy(view, pool),
    key: wantedKey(view, pool),
  },
): PodTemplate {
  const { owner, topology } = view;
  if (!topology) throw new Error('a pool without a topology');
  const identity = { pool: pool.name, revision, placement: pool.placement, ...placed };
  return makeDeployment({ owner, identity, track: '', replicas: 0, topology }).spec.template;
}

const known = new WeakMap<readonly Node[], Map<string, readonly Node[]>>();

/** Ready, not cordoned, and with labels and taints that let the pods in. Found once for all pools that are placed alike. */
export function openVms(view: View, pool: PoolView, revision: Revision): readonly Node[] {
  const { vms } = view.observed;
  const shape = podShape(poolTemplate(view, pool, revision));
  const byPlacement = known.get(vms) ?? new Map<string, readonly Node[]>();
  const placement = JSON.stringify([shape.nodeSelector, shape.tolerations, shape.nodeTerms]);
  const open = byPlacement.get(placement) ?? vms.filter((node) => isOpen(node) && admits(node, shape));
  known.set(vms, byPlacement.set(placement, open));
  return open;
}
