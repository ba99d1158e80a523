/** Whether a rollback finds VMs with the previous placement of its target. Pure. */
import { isOpen } from '../../scheduling/nodes.ts';
import { admits, podShape } from '../../scheduling/shape.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { deadlineMs } from '../record/revision.ts';
import { makeDeployment } from '../record/desired.ts';
import type { PoolView, Rollout, Workload } from './view.ts';

type Placed = Omit<WorkloadIdentity, 'pool'>;

/**
 * The own placement of a workload counts while the workload has ready pods or a VM admits its pods. If no VM admits pods of
 * either placement, the own placement counts until the deadline of the rollback: a cluster autoscaler may add VMs.
 */
export function hasVms(view: Rollout, pool: PoolView, own: Placed & { workload?: Workload }, anew: Placed): boolean {
  if ((own.workload?.ready ?? 0) > 0 || isTaken(view, pool, own)) return true;
  return !isTaken(view, pool, anew) && view.now < returnDeadline(view, pool);
}

/** Whether a VM admits the pods, before the deadline of the rollback. */
export function mayReturn(view: Rollout, pool: PoolView, placed: Placed): boolean {
  return view.now < returnDeadline(view, pool) && isTaken(view, pool, placed);
}

/** Whether a VM that is ready and not cordoned admits the pods. Free resources do not count. */
function isTaken({ observed, owner, topology }: Rollout, pool: PoolView, placed: Placed): boolean {
  const identity = { ...placed, pool: pool.name };
  const { template } = makeDeployment({ owner, identity, track: '', replicas: 0, topology }).spec;
  const shape = podShape(template);
  return observed.vms.some((node) => isOpen(node) && admits(node, shape));
}

/** The deadline of a rollback to find VMs (ms since the epoch): progressDeadlineSeconds after it was accepted. */
export function returnDeadline({ topology }: Rollout, { hold }: PoolView): number {
  const acceptedAt = Date.parse(hold?.rollback.status?.acceptedAt ?? '');
  return acceptedAt + deadlineMs(topology);
}
