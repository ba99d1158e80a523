/** Whether a rollback finds VMs with the placement that its target ran with. Pure. */
import { isOpen } from '../../scheduling/nodes.ts';
import { admits, podShape } from '../../scheduling/shape.ts';
import type { WorkloadIdentity } from '../record/desired.ts';
import { deadlineMs } from '../record/revision.ts';
import { makeDeployment } from '../record/desired.ts';
import type { PoolView, Rollout, Workload } from './view.ts';

type Placed = Omit<WorkloadIdentity, 'pool'>;

/**
 * A workload's own placement counts while the workload has ready pods or a VM takes them. Where no VM takes pods of either
 * placement, as where an autoscaler has yet to bring VMs, the own placement counts until the rollback's deadline.
 */
export function hasVms(view: Rollout, pool: PoolView, own: Placed & { workload?: Workload }, anew: Placed): boolean {
  if ((own.workload?.ready ?? 0) > 0 || isTaken(view, pool, own)) return true;
  return !isTaken(view, pool, anew) && view.now < returnDeadline(view, pool);
}

/** Before the deadline of a rollback, and with a VM that takes its pods. */
export function mayReturn(view: Rollout, pool: PoolView, placed: Placed): boolean {
  return view.now < returnDeadline(view, pool) && isTaken(view, pool, placed);
}

/** A VM that is ready and not cordoned lets the pods in, whatever room it has. */
function isTaken({ observed, owner, topology }: Rollout, pool: PoolView, placed: Placed): boolean {
  const identity = { ...placed, pool: pool.name };
  const { template } = makeDeployment({ owner, identity, track: '', replicas: 0, topology }).spec;
  const shape = podShape(template);
  return observed.vms.some((node) => isOpen(node) && admits(node, shape));
}

/** Until when a rollback may still find VMs (ms since the epoch): progressDeadlineSeconds after it was accepted. */
export function returnDeadline({ topology }: Rollout, { hold }: PoolView): number {
  const acceptedAt = Date.parse(hold?.rollback.status?.acceptedAt ?? '');
  return acceptedAt + deadlineMs(topology);
}
