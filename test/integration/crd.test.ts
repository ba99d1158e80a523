// The CRDs on the real API server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KINDS } from '../../src/api/kinds.ts';
import { GROUP } from '../../src/api/meta.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { waitFor } from '../cluster/processes.ts';
import { ownCluster } from './own-cluster.ts';
import type { GroupObject } from './post.ts';
import { createPoster, groupObject as object } from './post.ts';

const cluster = ownCluster();
const namespace = 'crd-test';

const api = createPoster(cluster, namespace);

type Fields = Record<string, unknown>;

function kubectl(...args: string[]): Promise<string> {
  return cluster.kubectl([`--namespace=${namespace}`, ...args]);
}

const image = 'registry.example/shop/web:1.4.2';
const pools = [{ name: 'prod-a' }];
/** A minimal AppRelease. */
const least = {
  template: { spec: { containers: [{ name: 'web', image }] } },
  stages: [{ name: 'production', pools }],
  service: { ports: [{ port: 80 }] },
};

function release(changes: Fields = {}, name = 'web') {
  return object('AppRelease', name, { ...least, ...changes });
}

function withImage(reference: string) {
  return { spec: { containers: [{ name: 'web', image: reference }] } };
}

function fullSize(lastPool: string) {
  const long = (text: string) => text.padStart(63, 'p');
  const stages = Array.from({ length: 16 }, (_, stage) => ({
    name: `stage-${stage}`,
    pools: Array.from({ length: 16 }, (_, pool) => ({
      name: long(stage === 15 && pool === 15 ? lastPool : `-${stage}-${pool}`),
      autoscaling: { minReplicas: 1, maxReplicas: 100000 },
      tolerations: Array.from({ length: 32 }, (_, n) => ({ key: `taint-${n}`, value: 'yes', effect: 'NoSchedule' })),
    })),
  }));
  return release({ stages });
}

/** Compares without the invalid value, because servers before 1.36 report only its type. */
function expectToSay(refusal: string | undefined, message: string): void {
  const [said = '', expected = ''] = [refusal, message].map((text) =>
    text?.replaceAll(/(Invalid value: )(?:"[^"]*"|-?\d+)(?:: |$)/g, '$1'),
  );
  expect(said).toContain(expected);
}

beforeAll(async () => {
  await installCrds(cluster);
  await cluster.kubectl(['create', 'namespace', namespace]);
});

afterAll(async () => {
  await api.close();
  await cluster.kubectl(['delete', 'namespace', namespace]);
});

const crdNames = KINDS.map(({ plural }) => `${plural}.${GROUP}`);

describe('the CRDs', () => {
  test.each(crdNames)('%s is established and structural', async (name) => {
    const crd = JSON.parse(await cluster.kubectl(['get', 'crd', name, '--output=json'])) as {
      status: { conditions: { type: string; status: string; message: string }[] };
    };
    const conditions = Object.fromEntries(crd.status.conditions.map(({ type, status }) => [type, status]));
    expect(conditions).toEqual({ NamesAccepted: 'True', Established: 'True' });
  });

  test('set defaults of an AppRelease', async () => {
    const { spec } = await api.create(release({}, 'defaults'));
    expect(spec).toEqual({
      ...least,
      stages: [
        {
          name: 'production',
          soak: '0s',
          approval: 'Automatic',
          prepull: false,
          pools: [{ name: 'prod-a', replicas: 1 }],
        },
      ],
      service: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] },
      strategy: { type: 'BlueGreen' },
      rollback: { warmFor: '30m', warmReplicas: '100%', onFailure: 'RollbackAll', barrier: false, drain: '30s' },
      capacity: 'Wait',
      disruption: { maxUnavailable: '25%', holdVMs: false },
      minReadySeconds: 0,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      paused: false,
    });
  });

  test('set defaults in a partial nested object', async () => {
    const { spec } = await api.create(release({ rollback: { warmFor: '5m' }, strategy: {} }, 'partial'));
    expect(spec['rollback']).toMatchObject({ warmFor: '5m', warmReplicas: '100%', drain: '30s' });
    expect(spec['strategy']).toEqual({ type: 'BlueGreen' });
  });

  test('set defaults of a rollback and a promotion', async () => {
    const rollback = await api.create(object('ReleaseRollback', 'defaults', { release: 'web' }));
    expect(rollback.spec).toEqual({ release: 'web', force: false });
    const promotion = await api.create(object('ReleasePromotion', 'defaults', { release: 'web', stage: 'production' }));
    expect(promotion.spec).toEqual({ release: 'web', stage: 'production', skipSoak: false });
  });

  test.each([
    release({}, 'unseen'),
    object('ReleaseRollback', 'unseen', { release: 'web' }),
    object('ReleasePromotion', 'unseen', { release: 'web', stage: 'production' }),
    object('VMPool', 'unseen', {}),
  ])('say of a new $kind that the operator has not seen it', async (unseen) => {
    await api.create(unseen);
    const name = `${unseen.kind.toLowerCase()}s/${unseen.metadata.name}`;
    expect(await kubectl('get', name, '--output=jsonpath={.status}')).toBe('{"observedGeneration":-1}');
  });

  test('keep the fields of a pod template that only Kubernetes knows', async () => {
    const template = {
      metadata: { labels: { app: 'web' }, annotations: { note: 'kept' } },
      spec: {
        containers: [{ name: 'web', image, ports: [{ containerPort: 8080 }], securityContext: { runAsNonRoot: true } }],
        volumes: [{ name: 'data', image: { reference: image } }],
        topologySpreadConstraints: [],
      },
    };
    expect((await api.create(release({ template }, 'template'))).spec['template']).toEqual(template);
  });

  test('accept 16 stages of 16 pools, and find one duplicate pool', async () => {
    expect(await api.refusal(fullSize('last'))).toBeUndefined();
    expectToSay(await api.refusal(fullSize('-0-0')), 'spec.stages: Invalid value: a pool may be in one stage only');
  });

  test.each([
    release({ strategy: { type: 'RollingUpdate', maxSurge: 2, maxUnavailable: '10%' }, service: undefined }),
    release({ strategy: { type: 'RollingUpdate', maxSurge: 0, maxUnavailable: '100%' }, service: undefined }),
    release({ strategy: { type: 'RollingUpdate', maxSurge: '10%', maxUnavailable: 0 }, service: undefined }),
    release({ version: '2026.1+build.7', template: withImage(`registry.example/web@sha256:${'0'.repeat(64)}`) }),
    release({ template: withImage('registry.example:5000/web:_x') }),
    release({ version: '_x' }),
    release({ rollback: { warmReplicas: 0, warmFor: '1h30m' } }),
    release(autoscaled({ maxReplicas: 1 })),
    release(autoscaled({ minReplicas: 2, maxReplicas: 2, metrics: [{ type: 'Any' }], behavior: { any: true } })),
    release({
      service: {
        ports: [
          { name: 'http', port: 80, targetPort: 'http', appProtocol: 'kubernetes.io/h2c' },
          { name: 'metrics', port: 9090, targetPort: 9090, appProtocol: 'https' },
          { name: 'dns', port: 9090, protocol: 'UDP' },
        ],
        trafficDistribution: 'PreferSameZone',
      },
    }),
    release({ workloadMetadata: { labels: { team: 'shop', 'example.com/a': '' }, annotations: {} } }),
    release(tolerating({ operator: 'Exists' })),
    release(tolerating({ key: 'example.com/pool', value: 'a', effect: 'NoExecute', tolerationSeconds: 60 })),
  ])('take %j', async (accepted) => {
    expect(await api.refusal(accepted)).toBeUndefined();
  });
});

function ofPod(fields: Fields, container: Fields = {}) {
  return { template: { spec: { containers: [{ name: 'web', image, ...container }], ...fields } } };
}

describe('fields of a pod template that the operator reads have a type', () => {
  const container = 'spec.template.spec.containers[0]';

  test.each<[Fields, string]>([
    // A list has no fields, so the strict check reports it first.
    [ofPod({}, { env: { A: 'b' } }), `unknown field "${container}.env.A"`],
    [ofPod({}, { env: {} }), `${container}.env in body must be of type array`],
    [ofPod({}, { env: [{ value: 'b' }] }), `${container}.env[0].name: Required value`],
    [ofPod({}, { ports: [{ hostPort: '80' }] }), `${container}.ports[0].hostPort in body must be of type integer`],
    [ofPod({}, { resources: { limits: '1Gi' } }), `${container}.resources.limits in body must be of type object`],
    [ofPod({ imagePullSecrets: { name: 'key' } }), 'unknown field "spec.template.spec.imagePullSecrets.name"'],
    [ofPod({ volumes: [null] }), 'spec.template.spec.volumes[0] in body must be of type object'],
    [ofPod({ nodeSelector: { ssd: true } }), 'spec.template.spec.nodeSelector.ssd in body must be of type string'],
  ])('%j', async (changes, message) => {
    expectToSay(await api.refusal(release(changes)), message);
  });

  test('null, and every other value that a Deployment accepts, is stored unchanged', async () => {
    const { template } = ofPod(
      { volumes: null, imagePullSecrets: null, nodeSelector: { disk: null }, affinity: { nodeAffinity: null } },
      { env: null, ports: null, resources: { requests: { cpu: 0.5, memory: '1Gi' }, limits: null }, tty: null },
    );
    expect((await api.create(release({ template }, 'nulls'))).spec['template']).toEqual(template);
  });

  test.each<[Fields, string | undefined]>([
    [{ name: 'web', namespace: 'shop', creationTimestamp: null, labels: null, finalizers: ['a.dev/b'] }, undefined],
    [{ generateName: 'web-', uid: 'x', generation: 1, ownerReferences: [{ name: 'x' }], managedFields: [] }, undefined],
    [{ lables: { app: 'web' } }, 'unknown field "spec.template.metadata.lables"'],
    [{ name: 1 }, 'spec.template.metadata.name in body must be of type string'],
  ])('the metadata %j as in a Deployment', async (metadata, message) => {
    const template = { metadata, spec: { containers: [{ name: 'web', image }] } };
    const refusal = await api.refusal(release({ template }));
    if (message === undefined) expect(refusal).toBeUndefined();
    else expectToSay(refusal, message);
  });

  test('any depth is accepted, so the operator must handle it', async () => {
    let deep: unknown = 'end';
    for (let level = 0; level < 1_500; level += 1) deep = { a: deep };
    expect(await api.refusal(release(ofPod({ unknown: deep })))).toBeUndefined();
  });

  test('an object that was stored before a field was described can be read and changed, except for invalid values in that field', async () => {
    const crd = `appreleases.${GROUP}`;
    const path =
      '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/template/properties/spec/properties';
    const names = ['imagePullSecrets', 'volumes'];
    const operations = names.map((name) => ({ op: 'remove', path: `${path}/${name}` }));
    await cluster.kubectl(['patch', 'crd', crd, '--type=json', `--patch=${JSON.stringify(operations)}`]);
    const old = release(ofPod({ imagePullSecrets: {}, volumes: 'none' }), 'stored');
    await waitFor('the older schema', async () => (await api.refusal(old)) === undefined, { timeoutSeconds: 60 });
    await api.create(old);
    await installCrds(cluster);
    await waitFor('the newer schema', async () => (await api.refusal(old)) !== undefined, { timeoutSeconds: 60 });

    const status = JSON.stringify({ status: { version: '1.4.2' } });
    await kubectl('patch', 'apprelease', 'stored', '--subresource=status', '--type=merge', `--patch=${status}`);
    await kubectl('patch', 'apprelease', 'stored', '--type=merge', '--patch={"spec":{"minReadySeconds":5}}');
    const stored = JSON.parse(await kubectl('get', 'apprelease', 'stored', '--output=json')) as GroupObject;
    expect(stored.spec).toMatchObject({ minReadySeconds: 5, template: old.spec['template'] });
    const worse = '--patch={"spec":{"template":{"spec":{"volumes":"some"}}}}';
    const refusal = await kubectl('patch', 'apprelease', 'stored', '--type=merge', worse).catch(String);
    expectToSay(refusal, 'spec.template.spec.volumes in body must be of type array');
    const mended = '--patch={"spec":{"template":{"spec":{"volumes":null,"imagePullSecrets":null}}}}';
    await kubectl('patch', 'apprelease', 'stored', '--type=merge', mended);
  });
});

function tolerating(toleration: Fields) {
  return { stages: [{ name: 'production', pools: [{ name: 'prod-a', tolerations: [toleration] }] }] };
}

function autoscaled(autoscaling: Fields) {
  return { stages: [{ name: 'production', pools: [{ name: 'prod-a', autoscaling }] }] };
}

describe('an invalid object is refused with the field and the way out', () => {
  const label = 'must be a DNS label: lower case letters, digits and -, with a letter or digit at both ends';
  const span = 'must be a duration such as 30m, 1h30m or 90s';
  const amount = 'must be a number of pods or a percentage such as 25%';
  const noTag = 'set spec.version: the first container’s image has no tag to take it from';
  const badTag = 'neither a blank nor a +, and at most 128 characters; a version with a + belongs in spec.version';
  const twoPools = [{ name: 'prod-a' }, { name: 'prod-a' }];

  test.each<[string, Fields, string]>([
    [
      'a version without quotes',
      { version: 1.5 },
      'spec.version: Invalid value: "number": spec.version in body must be of type string',
    ],
    ['an empty version', { version: '' }, 'spec.version: Invalid value: "": must begin with a letter, a digit or _'],
    [
      'a version with a space',
      { version: '1 5' },
      'spec.version: Invalid value: "1 5": must begin with a letter, a digit or _',
    ],
    ['no version and a tag with a +', { template: withImage('web:1.0+b5') }, badTag],
    ['no version and a tag with a blank at its end', { template: withImage('web:1.0 ') }, badTag],
    ['no version and no tag', { template: withImage('registry.example:5000/shop/web') }, noTag],
    ['no version and a digest', { template: withImage(`web@sha256:${'0'.repeat(64)}`) }, noTag],
    [
      'BlueGreen without a service',
      { service: undefined },
      'set spec.service, or strategy.type RollingUpdate for workers without one',
    ],
    [
      'maxSurge for BlueGreen',
      { strategy: { maxSurge: 1 } },
      'spec.strategy: Invalid value: maxSurge and maxUnavailable need type RollingUpdate',
    ],
    [
      'an unknown strategy',
      { strategy: { type: 'Canary' } },
      'spec.strategy.type: Unsupported value: "Canary": supported values: "BlueGreen", "RollingUpdate"',
    ],
    [
      'a bad maxSurge',
      { strategy: { type: 'RollingUpdate', maxSurge: 'some' } },
      `spec.strategy.maxSurge: Invalid value: "some": ${amount}`,
    ],
    [
      'a rollout in which no pod may be missing nor be added',
      { strategy: { type: 'RollingUpdate', maxSurge: 0, maxUnavailable: '0%' } },
      'spec.strategy: Invalid value: maxSurge and maxUnavailable must not both be 0',
    ],
    ...[0, '0%', '000%'].map((maxUnavailable): [string, Fields, string] => [
      `a drain that may take ${JSON.stringify(maxUnavailable)}`,
      { disruption: { maxUnavailable } },
      'a percentage such as 25%, and more than 0: 0 would block every drain forever',
    ]),
    [
      'more missing pods than there are',
      { strategy: { type: 'RollingUpdate', maxUnavailable: '101%' } },
      'spec.strategy: Invalid value: maxUnavailable must be 100% at most',
    ],
    [
      'a negative warmReplicas',
      { rollback: { warmReplicas: -1 } },
      `spec.rollback.warmReplicas: Invalid value: -1: ${amount}`,
    ],
    ...['labels', 'annotations'].map((field): [string, Fields, string] => [
      `${field} of the operator in workloadMetadata`,
      { workloadMetadata: { [field]: { team: 'shop', 'apprelease.dev/pool': 'a' } } },
      `spec.workloadMetadata.${field}: Invalid value: must have no key that begins with apprelease.dev/: such keys belong`,
    ]),
    [
      'an annotation of the controller of Deployments in workloadMetadata',
      { workloadMetadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } } },
      'must have no key that begins with deployment.kubernetes.io/: such keys belong to the controller of Deployments',
    ],
    [
      'several ports without names',
      { service: { ports: [{ port: 80 }, { port: 81 }] } },
      'spec.service.ports: Invalid value: give each port a name if there are several',
    ],
    [
      'a port twice',
      {
        service: {
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 80 },
          ],
        },
      },
      'spec.service.ports[1]: Duplicate value',
    ],
    [
      'port 0',
      { service: { ports: [{ port: 0 }] } },
      'spec.service.ports[0].port: Invalid value: 0: spec.service.ports[0].port in body should be greater than or equal to 1',
    ],
    [
      'two ports of one name',
      {
        service: {
          ports: [
            { name: 'a', port: 80 },
            { name: 'a', port: 81 },
          ],
        },
      },
      'spec.service.ports: Invalid value: give each port a different name',
    ],
    [
      'an application protocol that is none',
      { service: { ports: [{ port: 80, appProtocol: 'http 2' }] } },
      'spec.service.ports[0].appProtocol: Invalid value: "http 2": must be a protocol such as https, or kubernetes.io/h2c',
    ],
    [
      'an unknown traffic distribution',
      { service: { ports: [{ port: 80 }], trafficDistribution: 'Near' } },
      'spec.service.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
    ],
    [
      'a Service that begins with a digit',
      { stages: [{ name: 'a', pools: [{ name: 'a', serviceName: '1web' }] }] },
      'spec.stages[0].pools[0].serviceName: Invalid value: "1web": must be a DNS label that begins with a letter',
    ],
    [
      'an autoscaler to zero',
      autoscaled({ minReplicas: 0, maxReplicas: 2 }),
      'autoscaling.minReplicas: Invalid value: 0: spec.stages[0].pools[0].autoscaling.minReplicas in body should be greater than or equal to 1',
    ],
    [
      'an autoscaler without an upper bound',
      autoscaled({ minReplicas: 2 }),
      'spec.stages[0].pools[0].autoscaling.maxReplicas: Required value',
    ],
    [
      'an autoscaler whose bounds are the wrong way round',
      autoscaled({ minReplicas: 3, maxReplicas: 2 }),
      'spec.stages[0].pools[0].autoscaling: Invalid value: minReplicas must not be more than maxReplicas',
    ],
    ['a toleration of nothing', tolerating({ effect: 'NoSchedule' }), 'without a key the operator must be Exists'],
    [
      'a toleration with a value that is not compared',
      tolerating({ key: 'pool', operator: 'Exists', value: 'a' }),
      'spec.stages[0].pools[0].tolerations[0]: Invalid value: the operator Exists has no value',
    ],
    [
      'seconds for a taint that evicts nobody',
      tolerating({ key: 'pool', value: 'a', effect: 'NoSchedule', tolerationSeconds: 5 }),
      'tolerationSeconds needs the effect NoExecute',
    ],
    ['no stages', { stages: [] }, 'spec.stages: Invalid value: 0: spec.stages in body should have at least 1 items'],
    ['a stage without pools', { stages: [{ name: 'canary' }] }, 'spec.stages[0].pools: Required value'],
    [
      'a stage twice',
      {
        stages: [
          { name: 'a', pools },
          { name: 'a', pools: [{ name: 'b' }] },
        ],
      },
      'spec.stages[1]: Duplicate value',
    ],
    [
      'a pool twice in a stage',
      { stages: [{ name: 'a', pools: twoPools }] },
      'spec.stages[0].pools[1]: Duplicate value',
    ],
    [
      'a pool in two stages',
      {
        stages: [
          { name: 'a', pools },
          { name: 'b', pools },
        ],
      },
      'spec.stages: Invalid value: a pool may be in one stage only: list each pool once',
    ],
    [
      'a bad pool name',
      { stages: [{ name: 'a', pools: [{ name: 'Prod_A' }] }] },
      `spec.stages[0].pools[0].name: Invalid value: "Prod_A": ${label}`,
    ],
    [
      'a serviceName without a service',
      {
        strategy: { type: 'RollingUpdate' },
        service: undefined,
        stages: [{ name: 'a', pools: [{ name: 'a', serviceName: 'web' }] }],
      },
      'a pool’s serviceName needs spec.service',
    ],
    [
      'negative replicas',
      { stages: [{ name: 'a', pools: [{ name: 'a', replicas: -1 }] }] },
      'spec.stages[0].pools[0].replicas: Invalid value: -1',
    ],
    [
      'a bad soak',
      { stages: [{ name: 'a', soak: '10 minutes', pools }] },
      `spec.stages[0].soak: Invalid value: "10 minutes": ${span}`,
    ],
    ['a bad warmFor', { rollback: { warmFor: '1d' } }, `spec.rollback.warmFor: Invalid value: "1d": ${span}`],
    ['no containers', { template: { spec: { containers: [] } } }, 'spec.template.spec.containers: Invalid value: 0'],
    [
      'a container without an image',
      { template: { spec: { containers: [{ name: 'web' }] } } },
      'spec.template.spec.containers[0].image: Required value',
    ],
    ['a misspelt field', { stage: [] }, 'unknown field "spec.stage"'],
    [
      'an image in a pool',
      { stages: [{ name: 'a', pools: [{ name: 'a', template: withImage(image) }] }] },
      'unknown field "spec.stages[0].pools[0].template.spec.containers[0].image"',
    ],
  ])('%s', async (_, changes, message) => {
    expectToSay(await api.refusal(release(changes)), message);
  });

  test.each([
    ['a'.repeat(41), 'metadata.name must have at most 40 characters'],
    ['1web', 'metadata.name must be a DNS label that begins with a letter'],
    ['web.shop', 'metadata.name must be a DNS label that begins with a letter'],
  ])('an AppRelease named %s', async (name, message) => {
    expectToSay(await api.refusal(release({}, name)), message);
  });

  test.each<[string, string, Fields, string]>([
    [
      'both targets',
      'ReleaseRollback',
      { toVersion: '1.4.2', toRevision: 3 },
      'spec: Invalid value: give toVersion or toRevision, not both',
    ],
    ['no pools', 'ReleaseRollback', { pools: [] }, 'spec.pools: Invalid value: 0'],
    ['a pool twice', 'ReleaseRollback', { pools: ['a', 'a'] }, 'spec.pools[1]: Duplicate value: "a"'],
    ['no release', 'ReleaseRollback', { release: undefined }, 'spec.release: Required value'],
    [
      'version and revision',
      'ReleasePromotion',
      { stage: 'a', version: '1', revision: 3 },
      'spec: Invalid value: give version or revision, not both',
    ],
    ['no stage', 'ReleasePromotion', {}, 'spec.stage: Required value'],
  ])('%s in a %s', async (_, kind, spec, message) => {
    expectToSay(await api.refusal(object(kind, 'wrong', { release: 'web', ...spec })), message);
  });

  test.each([
    ['ReleaseRollback', { toVersion: '1.4.1' }],
    ['ReleasePromotion', { stage: 'production' }],
  ])('a change of a %s', async (kind, spec) => {
    await api.create(object(kind, 'fixed', { release: 'web', ...spec }));
    const patch = JSON.stringify({ spec: { reason: 'another' } });
    const refusal = await kubectl('patch', kind, 'fixed', '--type=merge', `--patch=${patch}`).catch(String);
    expectToSay(refusal, 'spec: Invalid value: spec is immutable: create a new object instead');
  });
});
