/** The pod template of a revision in a pool, and the VMs that admit its pods. Pure. */
import type { PodTemplate } from '../../api/app-release.ts';
import { keptBy } from '../../lib/once.ts';
import { isOpen } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { admits, podShape } from '../../scheduling/shape.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { wantedKey } from './target.ts';
import type { PoolView, Rollout } from './view.ts';

/** The pod template with the placement that the spec names. */
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

/** VMs that are ready, not cordoned, and admit the pods by labels and taints. */
export function openVms(view: Rollout, pool: PoolView, revision: Revision): readonly Node[] {
  const { vms } = view.observed;
  const shape = podShape(poolTemplate(view, pool, revision));
  const placement = JSON.stringify([shape.nodeSelector, shape.tolerations, shape.nodeTerms]);
  return openTo([vms], placement, () => vms.filter((node) => isOpen(node) && admits(node, shape)));
}

/** Cached for all pools of all releases with the same placement, because there may be thousands of VMs. */
const openTo = keptBy<readonly Node[]>();
