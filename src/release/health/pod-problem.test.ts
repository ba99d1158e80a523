import { describe, expect, test } from 'vitest';
import { toCachedPod } from '../../controller/kinds/pods.ts';
import { makeDeployment } from '../record/desired.ts';
import type { Deployment } from '../record/kube-objects.ts';
import { placementOf, topologyOf } from '../record/revision.ts';
import { view } from '../view.ts';
import { live, NOW, observed, podsFor, revision, spec } from '../testing.ts';
import type { Workload } from '../state/view.ts';
import { whyUnready } from './failure.ts';
import { podProblemDue } from './pod-problem.ts';

const wanted = spec();
const recorded = revision(1, wanted, { pools: {}, approvals: {} });
const placement = placementOf(wanted.stages[0]?.pools[0] ?? { name: 'a', replicas: 1 });

/** status of pods as the API server has them; `undefined`: there is no pod. */
type PodStatus = Record<string, unknown> | undefined;
type Condition = NonNullable<NonNullable<Deployment['status']>['conditions']>[number];

function workload(statuses: readonly PodStatus[], conditions: Condition[] = []): Workload {
  const owner = { name: 'web', namespace: 'shop', uid: 'u' };
  const identity = { pool: 'a', revision: recorded, placement, strategy: 'BlueGreen' as const, key: 'k' };
  const replicas = Math.max(1, statuses.length);
  const made = live(makeDeployment({ owner, identity, track: 't', replicas, topology: topologyOf(wanted) }), 0);
  const deployment = { ...made, status: { ...made.status, replicas, conditions } };
  const pods = podsFor(deployment, statuses.length).flatMap(({ metadata }, index) => {
    const status = statuses[index];
    return status ? [toCachedPod({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'node' }, status })] : [];
  });
  const name = deployment.metadata.name;
  return {
    ...{ deployment, name, pool: 'a', revision: 1, track: 't', strategy: 'BlueGreen', placement, key: 'k' },
    ...{ pods, ownReady: 0, ready: 0 },
  };
}

function seconds(ago: number): string {
  return new Date(NOW - ago * 1000).toISOString();
}

/** A pod with one container. */
function containing(container: object, more: object = {}): PodStatus {
  const containerStatuses = [{ name: 'main', ready: false, restartCount: 0, ...container }];
  return { phase: 'Pending', startTime: seconds(1), containerStatuses, ...more };
}

function waiting(reason: string, message?: string): PodStatus {
  return containing({ state: { waiting: { reason, ...(message !== undefined && { message }) } } });
}

function told(of: Workload): string | undefined {
  return whyUnready(of, recorded, view(observed(), NOW));
}

const [{ metadata }] = workload([waiting('ContainerCreating')]).pods as [Workload['pods'][number]];
const POD = metadata.name;
const MAIN = `container main of pod ${POD}`;
const ENDED = { terminated: { reason: 'OOMKilled', exitCode: 137 } };

describe('pods that are not ready are told of', () => {
  test.each<[what: string, status: PodStatus, says: string | undefined]>([
    ['not while a container is created', waiting('ContainerCreating'), undefined],
    ['not while its init containers run', waiting('PodInitializing'), undefined],
    [
      'a Secret that is not there',
      waiting('CreateContainerConfigError', 'secret "db" not found'),
      `${MAIN}: CreateContainerConfigError: secret "db" not found`,
    ],
    [
      'a command that is not there',
      waiting('RunContainerError', 'exec: "serve": not found'),
      `${MAIN}: RunContainerError: exec: "serve": not found`,
    ],
    ['a runtime that fails', waiting('CreateContainerError', 'no space'), `${MAIN}: CreateContainerError: no space`],
    ['an image without a name', waiting('InvalidImageName'), `${MAIN}: InvalidImageName`],
    [
      'a registry that refuses the image',
      waiting('ErrImagePull', 'failed to authorize: 401 Unauthorized'),
      `${MAIN}: ErrImagePull: failed to authorize: 401 Unauthorized`,
    ],
    [
      'a registry that is down, once',
      waiting('ErrImagePull', 'unexpected status: 503 Service Unavailable'),
      `pod ${POD}: unexpected status: 503 Service Unavailable`,
    ],
    [
      'the first crash',
      containing({ state: ENDED, restartCount: 0 }),
      `${MAIN}: ended with exit code 137 (OOMKilled), restarts: 0`,
    ],
    [
      'a crash while the kubelet backs off',
      containing({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ENDED, restartCount: 1 }),
      `${MAIN}: ended with exit code 137 (OOMKilled), restarts: 1`,
    ],
    [
      'a crash while the container runs again',
      containing({ state: { running: {} }, lastState: ENDED, restartCount: 2 }),
      `${MAIN}: ended with exit code 137 (OOMKilled), restarts: 2`,
    ],
    [
      'an init container that fails',
      {
        ...containing({ state: { waiting: { reason: 'PodInitializing' } } }),
        initContainerStatuses: [{ name: 'migrate', state: { terminated: { reason: 'Error', exitCode: 1 } } }],
      },
      `container migrate of pod ${POD}: ended with exit code 1 (Error), restarts: 0`,
    ],
    ['not a container that has just started', containing({ state: { running: {} } }), undefined],
    [
      'a container that is not ready after 10 s',
      containing({ state: { running: {} } }, { phase: 'Running', startTime: seconds(10) }),
      `${MAIN}: runs and is not ready`,
    ],
    [
      'a readiness gate',
      {
        ...containing({ ready: true }),
        conditions: [
          { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: 'gate "lb" is shut' },
        ],
      },
      `pod ${POD}: gate "lb" is shut`,
    ],
    [
      'a scheduling gate',
      { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message: 'gated by kueue' }] },
      `pod ${POD}: SchedulingGated: gated by kueue`,
    ],
    [
      'no VM with room, once',
      { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no VM' }] },
      `pod ${POD}: no VM`,
    ],
    ['not a pod that ended before', { ...containing({ state: ENDED }), phase: 'Succeeded' }, undefined],
    [
      'a kubelet that refuses the pod',
      { phase: 'Failed', reason: 'OutOfpods', message: 'Node had no pods left' },
      `pod ${POD}: OutOfpods: Node had no pods left`,
    ],
  ])('%s', (_what, status, says) => {
    expect(told(workload([status]))).toBe(says);
  });

  test.each<[what: string, condition: Omit<Condition, 'status'> & { status?: string }, says: string | undefined]>([
    [
      'PodSecurity',
      { type: 'ReplicaFailure', reason: 'FailedCreate', message: 'violates PodSecurity "restricted:latest"' },
      'Deployment web-a-1: FailedCreate: violates PodSecurity "restricted:latest"',
    ],
    [
      'a quota, once',
      { type: 'ReplicaFailure', reason: 'FailedCreate', message: 'exceeded quota: pods' },
      'exceeded quota: pods',
    ],
    [
      'a refused ReplicaSet',
      { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message: 'denied' },
      'Deployment web-a-1: ReplicaSetCreateError: denied',
    ],
    ['not the deadline', { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }, undefined],
  ])('pods that are refused by %s', (_what, condition, says) => {
    expect(told(workload([undefined], [{ status: 'True', ...condition }]))?.replace(/web-a-1\S*:/, 'web-a-1:')).toBe(
      says,
    );
  });

  test('but not a pod that is being removed', () => {
    const { pods, ...rest } = workload([waiting('CreateContainerConfigError', 'no Secret')]);
    const leaving = pods.map((pod) => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: seconds(1) } }));
    expect(told({ ...rest, pods: leaving })).toBeUndefined();
  });

  test('beside what keeps another pod from being ready', () => {
    const full = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no VM' }] };
    expect(told(workload([waiting('CreateContainerConfigError', 'no Secret'), full]))).toMatch(
      /^pod \S+: no VM; container main of pod \S+: CreateContainerConfigError: no Secret$/,
    );
  });

  test('in a text of bounded length, with its start and its end', () => {
    const said = told(workload([waiting('CreateContainerError', `start${'x'.repeat(100_000)}end`)])) ?? '';
    expect(said).toMatch(/CreateContainerError: startx+ … x+end$/);
    expect(said.length).toBeLessThan(1200);
  });
});

test('a pass is due when a container that runs has not been ready for 10 s', () => {
  const running = containing({ state: { running: {} } }, { startTime: seconds(4) });
  expect(podProblemDue(workload([running]), recorded, NOW)).toEqual([NOW + 6_000]);
  expect(podProblemDue(workload([{ ...running, startTime: seconds(10) }]), recorded, NOW)).toEqual([]);
  // The clock of the kubelet is 2 h ahead.
  expect(podProblemDue(workload([{ ...running, startTime: seconds(-7200) }]), recorded, NOW)).toEqual([]);
});
