/** Builders for unit tests of moves between VMs: pools that run on the VMs that the spec names, or on other VMs. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { Pod } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import type { StrategyType } from '../record/desired.ts';
import { makeDeployment, makeService, trackName } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Placement } from '../record/recorded-data.ts';
import { placementKey, topologyOf } from '../record/revision.ts';
import { controllerRevision, live, liveService, meta, observed, podsFor, release } from '../testing.ts';

/** A Deployment of a revision in a pool. */
export interface Runs {
  pool: string;
  of: Revision;
  /** The label of the VMs of the Deployment. */
  on: string;
  replicas?: number;
  ready: number;
  /** The scheduler's message for the pods that are not ready. */
  unschedulable?: string;
  /** The pool's Service selects it. */
  serves?: true;
  strategy?: StrategyType;
}

export function placedOn(label: string): Placement {
  return { nodeSelector: { pool: label }, tolerations: [] };
}

export function keyOn(label: string, strategy: StrategyType = 'BlueGreen'): string {
  return placementKey([placedOn(label)], strategy);
}

/** The spec with pools on other VMs: pool → label. */
export function onVms(spec: AppReleaseSpec, labels: Readonly<Record<string, string>>): AppReleaseSpec {
  const stages = spec.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => ({ ...pool, nodeSelector: { pool: labels[pool.name] ?? pool.name } })),
  }));
  return { ...spec, stages };
}

export function heldAt(to: number, since: string, heldAgainst: number, pools: readonly string[]): ReleaseRollback {
  return {
    metadata: meta('back'),
    spec: { release: 'web', force: false },
    status: {
      releaseUID: 'uid-web',
      acceptedAt: since,
      sequence: 1,
      heldAgainst,
      pools: pools.map((name) => ({ name, from: heldAgainst, to })),
      conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: since }],
    },
  };
}

export function placedWorld(
  spec: AppReleaseSpec,
  revisions: readonly Revision[],
  runs: readonly Runs[],
  more: Partial<Observed> = {},
): Observed {
  const owner = meta('web');
  const made = runs.map((one) => {
    const { pool, of, on, ready, replicas = ready, strategy = 'BlueGreen' } = one;
    const identity = { pool, revision: of, placement: placedOn(on), strategy, key: keyOn(on, strategy) };
    const track = trackName(`web-${pool}`, identity);
    const topology = topologyOf(spec);
    const deployment = live(makeDeployment({ owner, identity, track, replicas, topology }), ready);
    return { ...one, track, deployment, pods: podsOf(deployment, one) };
  });
  const services = made
    .filter(({ serves }) => serves)
    .map(({ pool, of, track }) => {
      const template = spec.service ?? { ports: [], type: 'ClusterIP' as const };
      return liveService(
        makeService({ owner, name: `web-${pool}`, pools: [pool], track, revision: of, template, annotations: {} }),
      );
    });
  return observed({
    release: release(spec),
    revisions: revisions.map(controllerRevision),
    deployments: made.map(({ deployment }) => deployment),
    pods: made.flatMap(({ pods }) => pods),
    services: spec.service ? services : [],
    ...more,
  });
}

function podsOf(deployment: Parameters<typeof podsFor>[0], { ready, replicas = ready, unschedulable }: Runs): Pod[] {
  return podsFor(deployment, replicas).map((pod, index) => {
    if (index < ready) return pod;
    const { nodeName: _nodeName, startedAt: _startedAt, ...waiting } = pod;
    return { ...waiting, ready: false, containers: [], ...(unschedulable !== undefined && { unschedulable }) };
  });
}
