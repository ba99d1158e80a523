/** The standby of a pool that is wanted now, for its status. Pure. */
import type { PoolStatus } from '../../api/app-release-status.ts';
import { parseDuration } from '../../api/common.ts';
import { own } from '../../lib/own.ts';
import { trackName } from '../record/desired.ts';
import { isRunBy } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { standbyReplicas } from '../state/pool-size.ts';
import type { PoolView, Rollout } from '../state/view.ts';
import { switchedAt } from '../traffic/reach.ts';
import { lastSwitch } from '../traffic/service.ts';

type Standby = NonNullable<NonNullable<PoolStatus['rollback']>['standby']>;

/**
 * The pods that should stand by with the version before, and those of them that are ready. Undefined with RollingUpdate, once
 * rollback.warmFor is over, and if the last switch left another version.
 */
export function wantedStandby(view: Rollout, pool: PoolView, previous: Revision): Standby | undefined {
  const { group, current, target, name } = pool;
  const { service, serviceName } = group;
  if (!service || serviceName === undefined || current?.strategy !== 'BlueGreen' || current !== target?.workload)
    return undefined;
  const until = switchedAt(group) + (parseDuration(view.topology.rollback.warmFor) ?? 0);
  const replicas = standbyReplicas(view, pool);
  if (!(until > view.now) || replicas === 0) return undefined;
  const { from } = lastSwitch(service);
  const standby = pool.workloads.find((workload) => workload.track === from && isRunBy(previous, workload));
  if (!standby && from !== trackOf(group.pools[0]?.name ?? name, serviceName, previous)) return undefined;
  return { replicas, readyReplicas: standby?.ownReady ?? 0 };
}

/** The track of a Deployment that is gone, on the VMs that the revision was recorded with. */
function trackOf(pool: string, serviceName: string, revision: Revision): string {
  const key = own(revision.data.placements, pool) ?? '';
  return trackName(serviceName, { pool, revision, strategy: 'BlueGreen', key });
}
