/** How fast a rollback of a pool would be, for its status. Pure. */
import type { PoolStatus } from '../../api/app-release-status.ts';
import { exposureFigures } from '../stages/exposure.ts';
import { imagePresence } from '../../scheduling/images.ts';
import { openVms } from '../state/pool-template.ts';
import { isRunBy } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { portObstacle } from '../state/routed-ports.ts';
import { barrierBetween, lastGood } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';
import { wantedStandby } from './standby.ts';

type RollbackStatus = NonNullable<PoolStatus['rollback']>;

export function rollbackReadiness(view: Rollout, pool: PoolView): RollbackStatus | undefined {
  const previous = rollbackTarget(view, pool);
  if (!previous) return undefined;
  const standby = wantedStandby(view, pool, previous);
  return { ...readinessOf(view, pool, previous), ...(standby && { standby }) };
}

/** The target of a rollback that names none. */
function rollbackTarget(view: Rollout, pool: PoolView): Revision | undefined {
  // In the middle of an exposure, a rollback returns all traffic to what the pool's first Service leads to.
  const exposed = exposureFigures(view, pool) && pool.entered;
  return pool.served && lastGood(view, pool, exposed ?? pool.served);
}

function readinessOf(view: Rollout, pool: PoolView, previous: Revision): RollbackStatus {
  const { number, data } = previous;
  const base = { version: data.input.version, revision: number };
  const barrier = barrierBetween(view, pool, previous);
  if (barrier) {
    return {
      ...base,
      readiness: 'Impossible',
      message: `version ${barrier.data.input.version} is a barrier: a rollback behind it needs spec.force`,
    };
  }
  const moved = portObstacle(view, pool.group, previous);
  if (moved !== undefined)
    return { ...base, readiness: 'Impossible', message: `${moved}: a rollback to it needs spec.force` };
  if (pool.current && isRunBy(previous, pool.current)) return { ...base, readiness: 'Warm' };
  const standby = pool.workloads.find((workload) => isRunBy(previous, workload));
  const needed = Math.max(1, Math.min(pool.replicas, pool.current?.ready ?? 0));
  if (standby && standby.ownReady >= needed) return { ...base, readiness: 'Warm' };
  const found = standby ? `${standby.ownReady} of ${needed} pods are ready` : 'no pod runs any more';
  const { readiness, message } = withoutPods(view, pool, previous);
  return { ...base, readiness, message: `${found}: ${message}` };
}

/** The readiness without enough running pods: the rollback starts containers, with or without a pull. */
function withoutPods(
  view: Rollout,
  pool: PoolView,
  previous: Revision,
): Pick<RollbackStatus, 'readiness'> & { message: string } {
  const { data } = previous;
  if (asksRegistry(data.input.template)) {
    const message = 'a rollback starts containers and asks the registry: imagePullPolicy is Always';
    return { readiness: 'Cold', message };
  }
  const digests = Object.values(data.images).map(({ digest }) => digest);
  const { have, unknown, of } = imagePresence(openVms(view, pool, previous), digests);
  if (of > 0 && have === of) return { readiness: 'Cached', message: 'a rollback starts containers from cached images' };
  const some = `a rollback starts containers; ${have} of ${of} VMs have the images`;
  if (have + unknown < of || of === 0) return { readiness: 'Cold', message: some };
  return { readiness: 'Unknown', message: `${some}, ${unknown} do not report all of their images` };
}

function asksRegistry({ spec: { containers, initContainers = [] } }: Revision['data']['input']['template']): boolean {
  return [...containers, ...initContainers].some(({ imagePullPolicy }) => imagePullPolicy === 'Always');
}
