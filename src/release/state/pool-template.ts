/** The pods that a revision has in a pool, and the VMs that are for them. Pure. */
import type { PodTemplate } from '../../api/app-release.ts';
import { keptByText } from '../../lib/once.ts';
import { isOpen } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { admits, podShape } from '../../scheduling/shape.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { wantedKey } from './target.ts';
import type { PoolView, Rollout } from './view.ts';

/** Placed as the pool is wanted to be. */
export function poolTemplate(
  view: Rollout,
  pool: PoolView,
  revision: Revision,
  placed: Pick<WorkloadIdentity, 'strategy' | 'key'> = {
    strategy: pool.strategy,
    key: wantedKey(pool),
  },
): PodTemplate {
  const { owner, topology } = view;
  const identity = { pool: pool.name, revision, placement: pool.placement, ...placed };
  return makeDeployment({ owner, identity, track: '', replicas: 0, topology }).spec.template;
}

/** Ready, not cordoned, and with labels and taints that let the pods in. */
export function openVms(view: Rollout, pool: PoolView, revision: Revision): readonly Node[] {
  const { vms } = view.observed;
  const shape = podShape(poolTemplate(view, pool, revision));
  const placement = JSON.stringify([shape.nodeSelector, shape.tolerations, shape.nodeTerms]);
  return openTo(vms, placement, () => vms.filter((node) => isOpen(node) && admits(node, shape)));
}

/** Found once for all pools, of all releases, that are placed alike: there may be thousands of VMs. */
const openTo = keptByText<readonly Node[]>();
