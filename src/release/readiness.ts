/** How fast a rollback of a pool would be. Pure. */
import type { PoolStatus } from '../api/app-release.ts';
import type { Revision } from './revision.ts';
import { barrierBetween, lastGood, wantedReplicas } from './target.ts';
import type { PoolView, View } from './view.ts';

export function rollbackReadiness(view: View, pool: PoolView): PoolStatus['rollback'] {
  const previous = lastGood(view, pool, pool.served);
  if (!previous || !pool.served) return undefined;
  const { number, data } = previous;
  const base = { version: data.input.version, revision: number };
  const barrier = barrierBetween(view, pool, previous);
  if (barrier) {
    return {
      ...base,
      readiness: 'Impossible',
      message: `version ${barrier.data.input.version} is a barrier: only spec.force goes back behind it`,
    };
  }
  const standby = pool.workloads.find(({ revision, strategy }) => revision === number && strategy === 'BlueGreen');
  const needed = Math.max(1, Math.min(wantedReplicas(pool, pool.current), pool.current?.ready ?? 0));
  if (standby && standby.ownReady >= needed) return { ...base, readiness: 'Warm' };
  const registry = asksRegistry(previous) ? ' and asks the registry: imagePullPolicy is Always' : '';
  const found = standby ? `${standby.ownReady} of ${needed} pods are ready` : 'no pod runs any more';
  return { ...base, readiness: 'Cold', message: `${found}: a rollback starts containers${registry}` };
}

function asksRegistry({ data }: Revision): boolean {
  const { containers, initContainers = [] } = data.input.template.spec;
  return [...containers, ...initContainers].some(({ imagePullPolicy }) => imagePullPolicy === 'Always');
}
