import { describe, expect, test } from 'vitest';
import { judge } from './failure.ts';
import type { ContainerState, Deployment, Pod } from './objects.ts';
import { makeDeployment } from './render.ts';
import { placementOf, topologyOf } from './revision.ts';
import { live, NOW, podsFor, revision, spec } from './testing.ts';
import type { Workload } from './view.ts';

const wanted = spec();
const [pool] = wanted.stages[0]?.pools ?? [];
const started = new Date(NOW - 60_000).toISOString();
const recorded = revision(1, wanted, { pools: { a: { clock: { start: started } } }, approvals: {} });
const placement = placementOf(pool ?? { name: 'a', replicas: 1 });

function workload(
  pod: Partial<Pod>,
  status: Deployment['status'] = {},
  strategy: Workload['strategy'] = 'BlueGreen',
): Workload {
  const identity = { pool: 'a', revision: recorded, placement, strategy, key: 'k' };
  const owner = { name: 'web', namespace: 'shop', uid: 'u' };
  const deployment = live(
    makeDeployment({ owner, identity, track: 't', replicas: 1, topology: topologyOf(wanted) }),
    0,
  );
  deployment.status = status;
  const pods = podsFor(deployment, 1, { ready: false, ...pod });
  return {
    deployment,
    name: 'web-a-1',
    pool: 'a',
    revision: 1,
    track: 't',
    strategy,
    placement,
    key: 'k',
    pods,
    ownReady: 0,
    ready: 0,
  };
}

function waiting(reason: string, message = '', restartCount = 0): { containers: ContainerState[] } {
  return { containers: [{ name: 'main', ready: false, restartCount, waiting: { reason, message } }] };
}

const notReady = [{ metadata: { name: 'node' }, ready: false, unschedulable: false }];
const context = { nodes: [], deadlineSeconds: 600, now: NOW };

describe('2.5 a failure of the version', () => {
  test.each([
    ['a crash loop', waiting('CrashLoopBackOff', '', 3), 'CrashLoop'],
    ['a missing image', waiting('ImagePullBackOff', 'manifest for web:9 not found'), 'ImageMissing'],
    ['an image without this platform', waiting('ErrImagePull', 'no match for platform in manifest'), 'ImageMissing'],
  ])('%s is one at once', (_what, pod, reason) => {
    expect(judge(workload(pod), recorded, context)).toMatchObject({ kind: 'Failed', reason });
  });

  test('readiness that is never reached is one when the deadline has passed, and not before', () => {
    expect(judge(workload({}), recorded, context).kind).toBe('Progressing');
    expect(judge(workload({}), recorded, { ...context, deadlineSeconds: 60 })).toMatchObject({
      kind: 'Failed',
      reason: 'ProgressDeadlineExceeded',
      message: '0 of 1 pods are ready after 60 s',
    });
  });

  test('a first crash or two may be a hiccup', () => {
    expect(judge(workload(waiting('CrashLoopBackOff', '', 2)), recorded, context).kind).toBe('Progressing');
  });
});

describe('2.5 not a failure of the version: the clock stands still', () => {
  test.each([
    ['a lost node', {}, {}, notReady, 'NodeNotReady'],
    ['a crash loop on a lost node', waiting('CrashLoopBackOff', '', 9), {}, notReady, 'NodeNotReady'],
    ['an eviction', { phase: 'Failed', reason: 'Evicted' }, {}, [], 'Evicted'],
    ['no room', { unschedulable: '0/8 nodes are available' }, {}, [], 'Unschedulable'],
    ['a registry that is down', waiting('ImagePullBackOff', '503 Service Unavailable'), {}, [], 'RegistryUnavailable'],
    ['a registry out of reach', waiting('ErrImagePull', 'dial tcp: i/o timeout'), {}, [], 'RegistryUnavailable'],
    [
      'a quota',
      {},
      { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'forbidden: exceeded quota: pods' }] },
      [],
      'QuotaExceeded',
    ],
  ])('%s', (_what, pod, status, nodes, reason) => {
    const verdict = judge(workload(pod, status), recorded, { ...context, nodes, deadlineSeconds: 1 });
    expect(verdict).toMatchObject({ kind: 'Excused', reason });
  });
});

test('a rolling update that gets on begins its deadline anew, BlueGreen does not', () => {
  const lastUpdateTime = new Date(NOW - 10_000).toISOString();
  const status = { conditions: [{ type: 'Progressing', status: 'True', lastUpdateTime }] };
  const soon = { ...context, deadlineSeconds: 30 };
  expect(judge(workload({}, status, 'RollingUpdate'), recorded, soon).kind).toBe('Progressing');
  expect(judge(workload({}, status, 'BlueGreen'), recorded, soon).kind).toBe('Failed');
});
