import { describe, expect, test } from 'vitest';
import type { ReleaseRollback } from '../api/release-rollback.ts';
import { ANNOTATION } from '../api/meta.ts';
import { findCondition } from '../api/conditions.ts';
import type { Deployment } from './record/kube-objects.ts';
import type { Observed } from './state/observed.ts';
import { plan } from './plan.ts';
import { makeDeployment, makeService, trackName } from './record/desired.ts';
import type { Revision } from './record/revision.ts';
import type { Facts } from './record/recorded-data.ts';
import { placementKeys, placementOf, templateImages, topologyOf } from './record/revision.ts';
import { stalled } from './status/ready.ts';
import { isSettled } from './state/target.ts';
import {
  DIGEST,
  controllerRevision,
  knowing,
  live,
  liveService,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  rollout,
  spec,
} from './testing.ts';
import { world } from './world-testing.ts';

const EARLIER = '2026-01-01T11:30:00Z';
const first = spec();
const next = spec({ version: '2.0.0', rollback: { onFailure: 'RollbackPool' } });
const topology = topologyOf(next);
const owner = meta('web');

const ACCEPTED = {
  type: 'Accepted',
  status: 'True' as const,
  reason: 'Accepted',
  message: 'takes back a 2 → 1, b 2 → 1',
  lastTransitionTime: EARLIER,
};

function facts(pools: Facts['pools']): Facts {
  return { pools, approvals: {} };
}

/** A Deployment of a revision in a pool, with this number of ready pods. */
function running(name: string, of: Revision, ready: number): Deployment {
  const pool = topology.stages.flatMap(({ pools }) => pools).find((candidate) => candidate.name === name);
  const key = placementKeys(topology, 'web', 'BlueGreen').get(name) ?? '';
  const identity = {
    pool: name,
    revision: of,
    placement: placementOf(pool ?? { name, replicas: 1 }),
    strategy: 'BlueGreen' as const,
    key,
  };
  const track = trackName(`web-${name}`, identity);
  return live(makeDeployment({ owner, identity, track, replicas: pool?.replicas ?? 1, topology }), ready);
}

function serviceOf(name: string, of: Revision) {
  const key = placementKeys(topology, 'web', 'BlueGreen').get(name) ?? '';
  const identity = {
    pool: name,
    revision: of,
    placement: { nodeSelector: {}, tolerations: [] },
    strategy: 'BlueGreen' as const,
    key,
  };
  const track = trackName(`web-${name}`, identity);
  const template = next.service ?? { ports: [], type: 'ClusterIP' as const };
  return liveService(
    makeService({ owner, name: `web-${name}`, pools: [name], track, revision: of, template, annotations: {} }),
  );
}

describe('a version that failed in two pools', () => {
  const failed = { at: EARLIER, attempt: 1, reason: 'CrashLoop', message: 'crashes' };
  const entered = { at: EARLIER, attempt: 1, key: 'k' };
  const old = revision(1, first, facts({ a: { good: EARLIER }, b: { good: EARLIER } }));
  const bad = revision(2, next, facts({ a: { entered, failed }, b: { entered, failed } }));

  /** In pool a the version before has no ready pod either. */
  function world(more: Partial<Observed> = {}): Observed {
    const deployments = [running('a', old, 0), running('b', old, 2)];
    return observed({
      release: release(next),
      revisions: [old, bad].map(controllerRevision),
      deployments,
      services: [serviceOf('a', old), serviceOf('b', old)],
      pods: deployments.flatMap((deployment) => podsFor(deployment, deployment.status?.readyReplicas ?? 0)),
      ...more,
    });
  }

  test('is taken back in one pool, although it has no target in the other', () => {
    const made = plan(world(), NOW).actions.filter(({ kind }) => kind === 'CreateRollback');
    expect(made).toMatchObject([{ name: 'web-r2-1-b', spec: { pools: ['b'] } }]);
  });
});

describe('two rollbacks with the same sequence, from two leaders', () => {
  const [old, left] = [revision(1, first, facts({ a: { good: EARLIER }, b: { good: EARLIER } })), revision(2, next)];

  function rollback(name: string): ReleaseRollback {
    const pools = ['a', 'b'].map((pool) => ({ name: pool, from: 2, to: 1 }));
    return {
      metadata: meta(name),
      spec: { release: 'web', force: false },
      status: { releaseUID: owner.uid, acceptedAt: EARLIER, sequence: 1, heldAgainst: 2, pools },
    };
  }

  test.each([[['one', 'two']], [['two', 'one']]])(
    'hold the pools by the later name, whatever their order in the cache: %j',
    (names) => {
      const seen = observed({
        release: release(next),
        revisions: [old, left].map(controllerRevision),
        rollbacks: names.map(rollback),
      });
      const holds = plan(seen, NOW).view.pools.map(({ hold }) => hold?.rollback.metadata.name);
      expect(holds).toEqual(['two', 'two']);
    },
  );
});

describe('a rollback whose pools are back', () => {
  const entered = { at: EARLIER, attempt: 1, key: 'k' };
  const back = { a: { good: EARLIER, entered }, b: { good: EARLIER, entered } };
  const to = revision(1, first, facts(back));

  /** Whether the rollback is complete, given the facts of the revision that it left. */
  function completes(left: Facts['pools']): boolean {
    const pools = ['a', 'b'].map((name) => ({ name, from: 2, to: 1 }));
    const status = {
      releaseUID: owner.uid,
      acceptedAt: EARLIER,
      sequence: 1,
      heldAgainst: 2,
      pools,
      conditions: [ACCEPTED],
    };
    const deployments = [running('a', to, 1), running('b', to, 2)];
    const seen = observed({
      release: release(next),
      revisions: [to, revision(2, next, facts(left))].map(controllerRevision),
      deployments,
      services: [serviceOf('a', to), serviceOf('b', to)],
      pods: deployments.flatMap((deployment) => podsFor(deployment, deployment.status?.readyReplicas ?? 0)),
      rollbacks: [{ metadata: meta('back'), spec: { release: 'web', force: false }, status }],
    });
    const { actions } = plan(seen, NOW);
    return actions.some(
      (action) =>
        action.kind === 'PatchRollback' && findCondition(action.status.conditions, 'Complete')?.status === 'True',
    );
  }

  test('is complete once the revision is recorded as taken back, as the rollback may be deleted then', () => {
    expect(completes({ a: { entered }, b: { entered } })).toBe(false);
    const rolledBack = { at: EARLIER, by: 'back' };
    expect(completes({ a: { rolledBack }, b: { rolledBack } })).toBe(true);
  });
});

test('a pool whose Service does not select its ready pods is not settled', () => {
  const only = revision(1, next);
  const deployment = running('a', only, 1);
  function arrives(services: Observed['services']): boolean {
    const pods = podsFor(deployment, 1);
    const seen = observed({
      release: release(next),
      revisions: [controllerRevision(only)],
      deployments: [deployment],
      services,
      pods,
    });
    const view = rollout(seen);
    return view.pools.some((pool) => pool.served && isSettled(view, pool, pool.served));
  }
  const service = serviceOf('a', only);
  expect(arrives([service])).toBe(true);
  expect(arrives([{ ...service, spec: { ...service.spec, selector: { app: 'other' } } }])).toBe(false);
  expect(arrives([])).toBe(false);
});

test('the status names the taken name of a Deployment, not that of a Service that no pool uses any more', () => {
  const taken = new Map([
    ['Service/gone', 'Service gone belongs to somebody else'],
    ['Deployment/web-a-1', 'Deployment web-a-1 belongs to somebody else'],
  ]);
  const seen = observed({ memory: { ...observed().memory, nameConflicts: taken } });
  expect(stalled(plan(seen, NOW).view)).toMatchObject({
    reason: 'NameTaken',
    message: 'Deployment web-a-1 belongs to somebody else',
  });
});

test('a Deployment with an overwritten annotation stops no pass, and is recognized by its name', () => {
  const old = revision(1, first);
  const deployment = running('a', old, 1);
  const [known] = plan(observed({ revisions: [controllerRevision(old)], deployments: [deployment] }), NOW).view
    .workloads;
  for (const text of ['nonsense', '{}', 'null']) {
    const annotations = { ...deployment.metadata.annotations, [ANNOTATION.placement]: text };
    const scribbled = { ...deployment, metadata: { ...deployment.metadata, annotations } };
    const seen = observed({ revisions: [controllerRevision(old)], deployments: [scribbled] });
    expect(plan(seen, NOW).view.workloads).toEqual([{ ...known, deployment: scribbled }]);
    const elsewhere = { ...scribbled, metadata: { ...scribbled.metadata, name: 'web-a-1-12345' } };
    const { workloads, pools } = plan({ ...seen, deployments: [elsewhere] }, NOW).view;
    expect(workloads).toEqual([]);
    expect(pools[0]?.strays).toMatchObject([{ name: 'web-a-1-12345' }]);
  }
});

test('a revision is recorded together with the pools that it is let into', () => {
  const base = world();
  const [image = ''] = templateImages(base.release.spec.template);
  const resolved = { state: 'resolved' as const, image: `${image}@${DIGEST}`, digest: DIGEST };
  const seen = {
    ...base,
    revisions: base.revisions.filter(({ revision: number }) => number !== 2),
    lookUpDigest: knowing({ [image]: resolved }),
  };
  const hash = plan(seen, NOW).actions.flatMap((action) => (action.kind === 'DryRun' ? [action.hash] : []))[0] ?? '';
  const memory = { ...seen.memory, dryRuns: new Map([[hash, { ok: true as const }]]) };
  const { actions } = plan({ ...seen, memory }, NOW);
  expect(actions.find(({ kind }) => kind === 'CreateRevision')).toMatchObject({
    annotations: { [ANNOTATION.facts]: expect.stringContaining('"entered"') as string },
    notices: [{ reason: 'RevisionRecorded' }, { reason: 'PoolEntered' }],
  });
});
