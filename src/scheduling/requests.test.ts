// What a pod asks for is what the scheduler counts.
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
      'its containers together',
      { containers: [asks({ cpu: '1' }), asks({ cpu: '500m', memory: '1Ki' })] },
      {
        cpu: 1500,
        memory: 1024,
      },
    ],
    [
      'its limit, where a container has no request',
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
      'sidecars beside its containers',
      {
        initContainers: [sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '2' })],
      },
      { cpu: 3000 },
    ],
    [
      'an init container beside the sidecars that are started before it',
      {
        initContainers: [sidecar({ cpu: '1' }), asks({ cpu: '5' }), sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 6000 },
    ],
    [
      'an init container without the sidecars that are started after it',
      {
        initContainers: [asks({ cpu: '5' }), sidecar({ cpu: '1' })],
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 5000 },
    ],
    [
      'what the pod itself names, in the containers’ stead',
      {
        resources: { requests: { cpu: '1' } },
        containers: [asks({ cpu: '4', memory: '7' })],
      },
      { cpu: 1000, memory: 7 },
    ],
    [
      'what its containers ask for, where the pod has a limit alone',
      {
        resources: { limits: { cpu: '4', memory: '9' } },
        containers: [asks({ cpu: '1' })],
      },
      { cpu: 1000, memory: 9 },
    ],
    [
      'only those resources of the pod as a whole that it can have',
      {
        resources: { requests: { cpu: '1', 'nvidia.com/gpu': '8' } },
        containers: [asks({ 'nvidia.com/gpu': '1' })],
      },
      { cpu: 1000, 'nvidia.com/gpu': 1 },
    ],
    [
      'huge pages of the pod as a whole',
      { resources: { requests: { 'hugepages-2Mi': '4Mi' } } },
      {
        'hugepages-2Mi': 4 * 2 ** 20,
      },
    ],
    [
      'the overhead of its runtime class too',
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
    ['none of a container without', { containers: [asks({ cpu: '1' })] }, {}],
    ['its containers together', { containers: [asks({}, { cpu: '1' }), asks({}, { cpu: '1' })] }, { cpu: 2000 }],
    ['the pod’s own', { resources: { limits: { cpu: '3' } }, containers: [asks({}, { cpu: '1' })] }, { cpu: 3000 }],
    [
      'with the overhead, where there is a limit',
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
