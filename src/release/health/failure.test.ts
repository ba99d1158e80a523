import { describe, expect, test } from 'vitest';
import { judgeHealth } from './failure.ts';
import type { ContainerState, Deployment, Pod } from '../record/kube-objects.ts';
import { makeDeployment } from '../record/desired.ts';
import { placementOf, topologyOf } from '../record/revision.ts';
import { ago, live, NOW, podsFor, revision, spec } from '../testing.ts';
import type { Workload } from '../state/view.ts';

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
  deployment.status = { replicas: 1, ...status };
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

const notReady = [{ metadata: { name: 'node' }, ready: false, unschedulable: false, taints: [] }];
const context = { nodes: [], deadlineSeconds: 600, now: NOW };

describe('a failure of the version', () => {
  test.each([
    ['a crash loop', waiting('CrashLoopBackOff', '', 3), 'CrashLoop'],
    ['a missing image', waiting('ImagePullBackOff', 'manifest for web:9 not found'), 'ImageMissing'],
    ['an image without this platform', waiting('ErrImagePull', 'no match for platform in manifest'), 'ImageMissing'],
  ])('is %s, at once', (_what, pod, reason) => {
    expect(judgeHealth(workload(pod), recorded, context)).toMatchObject({ kind: 'Failed', reason });
  });

  test('is the lack of ready pods once the deadline has passed, and not before', () => {
    expect(judgeHealth(workload({}), recorded, context).kind).toBe('Progressing');
    expect(judgeHealth(workload({}), recorded, { ...context, deadlineSeconds: 60 })).toMatchObject({
      kind: 'Failed',
      reason: 'ProgressDeadlineExceeded',
      message: '0 of 1 pods are ready after 60 s',
    });
  });

  test('is not the first crash or the second', () => {
    expect(judgeHealth(workload(waiting('CrashLoopBackOff', '', 2)), recorded, context).kind).toBe('Progressing');
  });
});

describe('the crash of a pod is a failure', () => {
  const crashing = waiting('CrashLoopBackOff', '', 3);

  function among(others: Partial<Pod>, replicas = 2): Workload {
    const found = workload(crashing, { replicas });
    const [other] = podsFor(found.deployment, 1, { ready: false, ...others });
    return { ...found, pods: [...(other ? [other] : []), ...found.pods] };
  }

  test.each([
    ['finds no room', { unschedulable: '0/8 nodes are available' }],
    ['is on a lost node', { nodeName: 'lost' }],
    ['finds its registry down', waiting('ImagePullBackOff', '503 Service Unavailable')],
  ])('also if another pod %s', (_what, other) => {
    const nodes = [{ metadata: { name: 'lost' }, ready: false, unschedulable: false, taints: [] }];
    expect(judgeHealth(among(other), recorded, { ...context, nodes })).toMatchObject({
      kind: 'Failed',
      reason: 'CrashLoop',
    });
  });

  test('as is a missing image of one pod, whatever keeps the other pods from being ready', () => {
    const pods = [waiting('ErrImagePull', 'i/o timeout'), waiting('ErrImagePull', 'manifest unknown')];
    const found = workload({}, { replicas: 2 });
    const both = { ...found, pods: pods.flatMap((pod) => podsFor(found.deployment, 1, { ready: false, ...pod })) };
    expect(judgeHealth(both, recorded, context)).toMatchObject({ kind: 'Failed', reason: 'ImageMissing' });
  });

  test('but not while pods of a deleted Deployment of the same name exist', () => {
    expect(judgeHealth(among({}, 1), recorded, context).kind).toBe('Progressing');
    expect(judgeHealth(among({}, 2), recorded, context).kind).toBe('Failed');
  });

  test('but not if the pod is older than its Deployment', () => {
    const found = workload(crashing);
    expect(judgeHealth({ ...found, deployment: created(found.deployment, NOW) }, recorded, context).kind).toBe(
      'Progressing',
    );
  });
});

describe('the deadline', () => {
  const soon = { ...context, deadlineSeconds: 30 };

  test.each([
    ['ahead', -120],
    ['behind', 120],
  ])('is not moved by the clock of a kubelet that is 2 h %s', (_what, minutes) => {
    expect(judgeHealth(workload({ startedAt: ago(minutes) }), recorded, soon)).toMatchObject({ kind: 'Failed' });
  });

  test('is not extended by an evicted pod that was replaced', () => {
    const found = workload({}, {});
    const evicted = podsFor(found.deployment, 1, { ready: false, phase: 'Failed', reason: 'Evicted' });
    const both = { ...found, pods: [...evicted, ...found.pods] };
    expect(judgeHealth(both, recorded, soon)).toMatchObject({ kind: 'Failed', reason: 'ProgressDeadlineExceeded' });
    expect(judgeHealth({ ...both, pods: evicted }, recorded, soon)).toMatchObject({
      kind: 'Excused',
      reason: 'Evicted',
    });
  });

  test('starts again for a pod that replaces a drained one', () => {
    const found = workload({});
    const replaced = found.pods.map((pod) => ({ ...pod, startedAt: new Date(NOW - 20_000).toISOString() }));
    expect(judgeHealth({ ...found, pods: replaced }, recorded, soon).kind).toBe('Progressing');
    expect(judgeHealth({ ...found, pods: replaced }, recorded, { ...soon, now: NOW + 10_000 }).kind).toBe('Failed');
  });

  test('begins with the Deployment, even if the revision has entered the pool long before', () => {
    const found = workload({});
    const young = { ...found, deployment: created(found.deployment, NOW - 10_000) };
    expect(judgeHealth(young, recorded, soon).kind).toBe('Progressing');
    expect(judgeHealth(young, recorded, { ...soon, now: NOW + 20_000 }).kind).toBe('Failed');
  });
});

describe('a cause outside the version that stops the clock', () => {
  test.each([
    ['a lost node', {}, {}, notReady, 'NodeNotReady'],
    ['a crash loop on a lost node', waiting('CrashLoopBackOff', '', 9), {}, notReady, 'NodeNotReady'],
    ['an eviction', { phase: 'Failed', reason: 'Evicted' }, {}, [], 'Evicted'],
    ['no room', { unschedulable: '0/8 nodes are available' }, {}, [], 'Unschedulable'],
    ['a registry that is down', waiting('ImagePullBackOff', '503 Service Unavailable'), {}, [], 'RegistryUnavailable'],
    ['a registry out of reach', waiting('ErrImagePull', 'dial tcp: i/o timeout'), {}, [], 'RegistryUnavailable'],
    [
      'a quota',
      { ready: true },
      { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'forbidden: exceeded quota: pods' }] },
      [],
      'QuotaExceeded',
    ],
    [
      'a webhook for pods that is down',
      { ready: true },
      { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'failed calling webhook "pods": refused' }] },
      [],
      'WebhookUnavailable',
    ],
  ])('%s', (_what, pod, status, nodes, reason) => {
    const verdict = judgeHealth(workload(pod, status), recorded, { ...context, nodes, deadlineSeconds: 1 });
    expect(verdict).toMatchObject({ kind: 'Excused', reason, stopsClock: true });
  });
});

describe('a cause that excuses one pod excuses no other pod', () => {
  const nodes = [
    { metadata: { name: 'lost' }, ready: false, unschedulable: false, taints: [] },
    { metadata: { name: 'cordoned' }, ready: true, unschedulable: true, taints: [], markedAt: ago(5) },
    { metadata: { name: 'forgotten' }, ready: true, unschedulable: true, taints: [], markedAt: ago(10) },
  ];
  const { containers: cutOff } = waiting('ImagePullBackOff', '503 Service Unavailable');
  const causes: [what: string, pod: Partial<Pod>, reason: string][] = [
    ['on a lost VM', { nodeName: 'lost' }, 'NodeNotReady'],
    ['on a cordoned VM', { nodeName: 'cordoned' }, 'NodeDraining'],
    ['without room', { unschedulable: '0/8 nodes are available' }, 'Unschedulable'],
    ['whose registry is down', { containers: cutOff }, 'RegistryUnavailable'],
  ];

  /** A pod with the cause, and another pod. */
  function pair(pod: Partial<Pod>, other: Partial<Pod>): Workload {
    const found = workload({}, { replicas: 2 });
    const deployment = { ...found.deployment, spec: { ...found.deployment.spec, replicas: 2 } };
    const pods = [pod, other].flatMap((own) => podsFor(deployment, 1, { ready: false, ...own }));
    return { ...found, deployment, pods };
  }

  test.each(causes)('a pod %s, and one that is late', (_what, pod, reason) => {
    const both = pair(pod, {});
    const early = judgeHealth(both, recorded, { ...context, nodes });
    expect(early).toMatchObject({ kind: 'Excused', reason, stopsClock: false });
    const late = judgeHealth(both, recorded, { ...context, nodes, deadlineSeconds: 30 });
    expect(late).toMatchObject({ kind: 'Failed', reason: 'ProgressDeadlineExceeded' });
  });

  test('a VM that was left cordoned excuses no pod', () => {
    const left = pair({ nodeName: 'forgotten' }, { ready: true });
    const verdict = judgeHealth(left, recorded, { ...context, nodes, deadlineSeconds: 30 });
    expect(verdict).toMatchObject({ kind: 'Failed', reason: 'ProgressDeadlineExceeded' });
  });

  test.each(causes)('a pod %s, and one that is ready', (_what, pod, reason) => {
    const verdict = judgeHealth(pair(pod, { ready: true }), recorded, { ...context, nodes, deadlineSeconds: 30 });
    expect(verdict).toMatchObject({ kind: 'Excused', reason, stopsClock: true });
  });
});

test('the status of the Deployment restarts no deadline, because flapping readiness renews it', () => {
  const lastUpdateTime = new Date(NOW - 10_000).toISOString();
  const status = { conditions: [{ type: 'Progressing', status: 'True', lastUpdateTime }] };
  const soon = { ...context, deadlineSeconds: 30 };
  expect(judgeHealth(workload({}, status, 'RollingUpdate'), recorded, soon).kind).toBe('Failed');
  expect(judgeHealth(workload({}, status, 'BlueGreen'), recorded, soon).kind).toBe('Failed');
});

describe('time in which no pod was started does not count', () => {
  const soon = { ...context, deadlineSeconds: 30 };
  const stopped = { start: started, stopped: new Date(NOW - 20_000).toISOString() };

  test.each([
    ['because the controllers created no pod', [], '0 of 1 pods exist'],
    ['because no kubelet started the pod', [{}], 'pod web-a-1-k-0: no kubelet has started it yet'],
  ])('%s', (_what, pods, message) => {
    const found = workload({});
    const untaken = found.pods.slice(0, pods.length).map(({ startedAt: _startedAt, ...pod }) => pod);
    const judged = { ...found, pods: untaken };
    expect(judgeHealth(judged, recorded, context).kind).toBe('Progressing');
    expect(judgeHealth(judged, recorded, soon)).toEqual({
      kind: 'Excused',
      reason: 'NotStarted',
      message,
      stopsClock: true,
    });
    expect(judgeHealth(judged, recorded, { ...context, clock: stopped })).toMatchObject({ reason: 'NotStarted' });
    // The pod has the whole deadline from its start.
    const taken = found.pods.map((pod) => ({ ...pod, startedAt: new Date(NOW).toISOString() }));
    expect(judgeHealth({ ...found, pods: taken }, recorded, { ...soon, now: NOW + 29_000 }).kind).toBe('Progressing');
    expect(judgeHealth({ ...found, pods: taken }, recorded, { ...soon, now: NOW + 30_000 }).kind).toBe('Failed');
  });

  test('but counts if the API server refuses the pods', () => {
    const status = { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'denied by a policy' }] };
    const refused = { ...workload({}, status), pods: [] };
    expect(judgeHealth(refused, recorded, soon)).toMatchObject({ kind: 'Failed', message: 'denied by a policy' });
  });
});

function created<T extends { metadata: object }>(object: T, at: number): T {
  return { ...object, metadata: { ...object.metadata, creationTimestamp: new Date(at).toISOString() } };
}
