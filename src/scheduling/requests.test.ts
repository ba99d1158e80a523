// Requests of a pod are counted as in the scheduler.
import { describe, expect, test } from 'vitest';
import type { RequestingPodSpec } from './requests.ts';
import { podLimits, podRequests } from './requests.ts';

type Amounts = Readonly<Record<string, string>>;

function asks(requests: Amounts, limits?: Amounts) {
  return { resources: { requests, ...(limits && { limits }) } };
}

function sidecar(requests: Amounts) {
  return { ...asks(requests), restartPolicy: 'Always' };
}

describe('requests', () => {
  test.each<[string, RequestingPodSpec, Record<string, number>]>([
    ['nothing', {}, {}],
    [
      'the sum of its containers',
      { containers: [asks({ cpu: '1' }), asks({ cpu: '500m', memory: '1Ki' })] },
      {
        cpu: 1500,
        memory: 1024,
      },
    ],
    [
      'the limit of a container without a request',
      { containers: [{ resources: { limits: { cpu: '2' } } }] },
      { cpu: 2000 },
    ],
    [
      'the largest init container, by resource',
      {
        initContainers: [asks({ cpu: '3', memory: '10' }), asks({ cpu: '1', memory: '90' })],
        containers: [asks({ cpu: '2', memory: '50' })],
      },
      { cpu: 3000, memory: 90 },
    ],
    [
      'sidecars and containers',
      {
        initContainers: [sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '2' })],
      },
      { cpu: 3000 },
    ],
    [
      'an init container and the sidecars that start before it',
      {
        initContainers: [sidecar({ cpu: '1' }), asks({ cpu: '5' }), sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 6000 },
    ],
    [
      'an init container without the sidecars that start after it',
      {
        initContainers: [asks({ cpu: '5' }), sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 5000 },
    ],
    [
      'pod-level requests instead of those of the containers',
      {
        resources: { requests: { cpu: '1' } },
        containers: [asks({ cpu: '4', memory: '7' })],
      },
      { cpu: 1000, memory: 7 },
    ],
    [
      'requests of the containers if the pod has only a limit',
      {
        resources: { limits: { cpu: '4', memory: '9' } },
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 1000, memory: 9 },
    ],
    [
      'only pod-level resources that are supported',
      {
        resources: { requests: { cpu: '1', 'nvidia.com/gpu': '8' } },
        containers: [asks({ 'nvidia.com/gpu': '1' })],
      },
      { cpu: 1000, 'nvidia.com/gpu': 1 },
    ],
    [
      'pod-level huge pages',
      { resources: { requests: { 'hugepages-2Mi': '4Mi' } } },
      {
        'hugepages-2Mi': 4 * 2 ** 20,
      },
    ],
    [
      'with the overhead of the runtime class',
      {
        overhead: { cpu: '250m', memory: '120' },
        resources: { requests: { cpu: '1' } },
        containers: [asks({ memory: '8' })],
      },
      { cpu: 1250, memory: 128 },
    ],
  ])('of a pod are %s', (_what, spec, expected) => {
    expect(podRequests(spec)).toEqual(expected);
  });
});

describe('limits', () => {
  test.each<[string, RequestingPodSpec, Record<string, number>]>([
    ['none for a container without limits', { containers: [asks({ cpu: '1' })] }, {}],
    ['the sum of its containers', { containers: [asks({}, { cpu: '1' }), asks({}, { cpu: '1' })] }, { cpu: 2000 }],
    [
      'those of the pod level',
      { resources: { limits: { cpu: '3' } }, containers: [asks({}, { cpu: '1' })] },
      { cpu: 3000 },
    ],
    [
      'with the overhead if there is a limit',
      {
        overhead: { cpu: '1', memory: '5' },
        containers: [asks({}, { cpu: '1' })],
      },
      { cpu: 2000 },
    ],
  ])('of a pod are %s', (_what, spec, expected) => {
    expect(podLimits(spec)).toEqual(expected);
  });
});
