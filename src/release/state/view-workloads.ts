/** The Deployments of a release with their pods and recorded identities. Pure. */
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Deployment, Pod } from '../record/kube-objects.ts';
import type { Observed } from './observed.ts';
import { readIdentity } from '../record/recorded.ts';
import type { StrategyType } from '../record/desired.ts';
import { formerWorkloadName, workloadNames } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Topology } from '../record/recorded-data.ts';
import { placementKeys, placementOf } from '../record/revision.ts';
import type { Workload } from './view.ts';

/** All Deployments, including those with an unreadable identity. */
export function viewWorkloads(
  { deployments, pods, release }: Observed,
  topology: Topology | undefined,
  revisions: readonly Revision[],
): Workload[] {
  const podsOf = Map.groupBy(pods, ({ metadata }) => metadata.labels?.[LABEL.workload]);
  return deployments.flatMap((deployment) => {
    const recorded = readIdentity(deployment.metadata.annotations?.[ANNOTATION.placement]);
    const identity = recorded ?? identityByName(deployment, release.metadata.name, topology, revisions);
    return viewWorkload(deployment, identity ?? SCRIBBLED, podsOf.get(deployment.metadata.name) ?? []) ?? [];
  });
}

/** Whether somebody changed the Deployment so that its identity cannot be read. */
export function isScribbled({ key }: Workload): boolean {
  return key === SCRIBBLED.key;
}

function viewWorkload(deployment: Deployment, identity: Identity, pods: readonly Pod[]): Workload | undefined {
  const { labels = {}, name, deletionTimestamp } = deployment.metadata;
  const pool = labels[LABEL.pool];
  if (pool === undefined || deletionTimestamp !== undefined) return undefined;
  const own = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const ready = own.filter((pod) => pod.ready).length;
  return {
    deployment,
    name,
    pool,
    revision: Number(labels[LABEL.revision]),
    // The template's label counts, because the pods have it. Somebody may have changed the label of the Deployment.
    track: deployment.spec.template.metadata?.labels?.[LABEL.track] ?? labels[LABEL.track] ?? '',
    ...identity,
    pods: own,
    ready,
    ownReady: Math.min(ready, deployment.status?.readyReplicas ?? 0),
  };
}

type Identity = Pick<Workload, 'placement' | 'strategy' | 'key'>;

const STRATEGIES: readonly StrategyType[] = ['BlueGreen', 'RollingUpdate'];
const SCRIBBLED: Identity = { placement: { nodeSelector: {}, tolerations: [] }, strategy: 'BlueGreen', key: '' };

/** The identity that gives the Deployment its name. It is found if the placement of the pool has not changed. */
function identityByName(
  { metadata: { name, labels } }: Deployment,
  release: string,
  topology: Topology | undefined,
  revisions: readonly Revision[],
): Identity | undefined {
  const pool = topology?.stages
    .flatMap(({ pools }) => pools)
    .find((candidate) => candidate.name === labels?.[LABEL.pool]);
  const revision = revisions.find(({ number }) => String(number) === labels?.[LABEL.revision]);
  if (!topology || !pool || !revision) return undefined;
  return STRATEGIES.map((strategy) => ({
    placement: placementOf(pool),
    strategy,
    key: placementKeys(topology, release, strategy).get(pool.name) ?? '',
  })).find((identity) => {
    const runs = { pool: pool.name, revision, ...identity };
    return [...workloadNames(release, runs, labels?.[LABEL.track] ?? ''), formerWorkloadName(release, runs)].includes(
      name,
    );
  });
}
