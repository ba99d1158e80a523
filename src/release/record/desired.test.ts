import { describe, expect, test } from 'vitest';
import type { PodTemplate } from '../../api/app-release.ts';
import { makeAdoptedService, makeDeployment, makeService, trackName, workloadName, workloadNames } from './desired.ts';
import { placementOf, topologyOf } from './revision.ts';
import type { Revision } from './revision.ts';
import { live, revision, spec } from '../testing.ts';

const rich = spec({
  template: {
    metadata: { labels: { app: 'web', 'apprelease.dev/pool': 'forged' }, annotations: { note: 'x' } },
    spec: {
      initContainers: [{ name: 'init', image: 'web:1.0.0', imagePullPolicy: 'Always' }],
      containers: [
        {
          name: 'main',
          image: 'web:1.0.0',
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
          ports: [{ name: 'http', containerPort: 80 }],
        },
      ],
      volumes: [{ name: 'data', image: { reference: 'web:1.0.0' } }],
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'own', operator: 'Exists' }],
    },
  },
  stages: [
    {
      name: 'all',
      pools: [
        {
          name: 'a',
          replicas: 2,
          nodeSelector: { pool: 'a' },
          tolerations: [{ key: 'pool', operator: 'Equal', value: 'a', effect: 'NoSchedule' }],
          template: {
            metadata: { labels: { tier: 'gold' } },
            spec: {
              serviceAccountName: 'web-a',
              containers: [
                { name: 'main', env: [{ name: 'B', value: 'two' }], resources: { limits: { memory: '1Gi' } } },
              ],
            },
          },
        },
      ],
    },
  ],
});
const owner = { name: 'web', namespace: 'shop', uid: 'u1' };
const recorded = revision(3, rich);
const [pool] = rich.stages[0]?.pools ?? [];
const placement = placementOf(pool ?? { name: 'a', replicas: 2 });
const key = recorded.data.placements['a'] ?? '';
const identity = { pool: 'a', revision: recorded, placement, strategy: 'BlueGreen' as const, key };

// A different output of a renderer would restart all pods of its revisions at an upgrade of the operator.
test.each([1, 2])('renderer %i always gives the same Deployment', async (renderer) => {
  const made = { ...identity, revision: withRenderer(renderer) };
  const deployment = makeDeployment({
    owner,
    identity: made,
    track: 'web-a-3',
    replicas: 2,
    topology: topologyOf(rich),
  });
  const golden = `golden/deployment-renderer-${renderer}.json`;
  await expect(`${JSON.stringify(deployment, null, 2)}\n`).toMatchFileSnapshot(golden);
});

function withRenderer(renderer: number): Revision {
  return { ...recorded, data: { ...recorded.data, renderer } };
}

describe('a running Deployment of a revision that a newer operator recorded', () => {
  const made = { owner, identity: { ...identity, revision: withRenderer(99) }, track: 't', replicas: 2 };
  const running = makeDeployment({ ...made, topology: topologyOf(rich) });
  const [container] = running.spec.template.spec.containers;
  const template = {
    ...running.spec.template,
    spec: { containers: [{ ...container, image: 'other:1' }] },
  } as PodTemplate;
  const options = { ...made, replicas: 1, topology: topologyOf(rich) };

  test('keeps its template', () => {
    const kept = makeDeployment({ ...options, live: live({ ...running, spec: { ...running.spec, template } }, 2) });
    expect(kept.spec).toMatchObject({ template, replicas: 1 });
  });

  test('is rendered again if it runs another revision', () => {
    const labels = { ...template.metadata?.labels, 'apprelease.dev/revision': '2' };
    const before = { ...template, metadata: { ...template.metadata, labels } };
    const next = makeDeployment({
      ...options,
      live: live({ ...running, spec: { ...running.spec, template: before } }, 2),
    });
    expect(next.spec.template).toEqual(running.spec.template);
  });
});

test('a label of the template does not override a label of the operator', () => {
  const { spec: body } = makeDeployment({ owner, identity, track: 't', replicas: 1, topology: topologyOf(rich) });
  expect(body.template.metadata?.labels?.['apprelease.dev/pool']).toBe('a');
});

test('a Deployment has no spec.replicas if another manager owns the field', () => {
  const { spec: body } = makeDeployment({
    owner,
    identity,
    track: 't',
    replicas: undefined,
    topology: topologyOf(rich),
  });
  expect(body).not.toHaveProperty('replicas');
});

test('the name of a Deployment has release, pool and revision, and the placement key if the placement has changed', () => {
  expect(workloadName('web', identity)).toBe('web-a-3');
  expect(workloadName('web', { ...identity, key: '12345678' })).toBe('web-a-3-12345');
  expect(workloadName('web', { ...identity, strategy: 'RollingUpdate' })).toBe('web-a');
  expect(trackName('web-a', identity)).toBe('web-a-3');
  expect(trackName('web-a', { ...identity, strategy: 'RollingUpdate' })).toBe('web-a-rolling');
});

test.each([
  ['web-a-rolling', 'web-a'],
  ['shop-rolling', 'web-a'],
  ['shop-2', 'web-a-2'],
  ['shop-2-12345', 'web-a-2-12345'],
])('with RollingUpdate, the track %s gives the Deployment the name %s for every revision', (track, name) => {
  const rolling = { ...identity, strategy: 'RollingUpdate' as const };
  const names = workloadNames('web', rolling, track);
  expect(names).toEqual([name, expect.stringMatching(`^${name}-[0-9a-f]{5}$`)]);
  const next = { ...rolling, revision: { ...recorded, number: 4 }, key: '12345678' };
  expect(workloadNames('web', next, track)).toEqual(names);
});

test.each([
  ['no label of the user', {}, false, 'apprelease'],
  ['a label of the user', { 'app.kubernetes.io/managed-by': 'Helm' }, false, 'Helm'],
  ['a label of the user until the next switch', { 'app.kubernetes.io/managed-by': 'Helm' }, true, 'apprelease'],
])('a Service with %s', (_what, labels, keepsLabel, managedBy) => {
  const template = { type: 'ClusterIP' as const, ports: [], metadata: { labels } };
  const options = { owner, name: 'web-a', pools: ['a'], track: 't', keepsLabel, revision: recorded, annotations: {} };
  const made = { ...labels, 'apprelease.dev/release': 'forged' };
  const { metadata } = makeService({ ...options, template: { ...template, metadata: { labels: made } } });
  expect(metadata.labels).toMatchObject({
    'app.kubernetes.io/managed-by': managedBy,
    'apprelease.dev/release': 'web',
  });
});

test('a Service has the selector and the ports of one revision', () => {
  const template = { ...rich.service, type: 'ClusterIP' as const, ports: [] };
  const service = makeService({
    owner,
    name: 'web-a',
    pools: ['a'],
    track: 'web-a-3',
    revision: recorded,
    template,
    annotations: {},
  });
  expect(service.spec).toEqual({
    type: 'ClusterIP',
    selector: { 'apprelease.dev/track': 'web-a-3', 'apprelease.dev/release': 'web' },
    ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
  });
  expect(service.metadata.ownerReferences).toEqual([
    { apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', name: 'web', uid: 'u1', controller: true },
  ]);
});

test('the operator owns only the selector of an adopted Service and sets no owner reference', () => {
  const service = makeAdoptedService({ owner, name: 'web', pools: ['a'], track: 't', annotations: {} });
  expect(service.spec).toEqual({ selector: { 'apprelease.dev/track': 't', 'apprelease.dev/release': 'web' } });
  expect(service.metadata).not.toHaveProperty('ownerReferences');
});
