import { describe, expect, test } from 'vitest';
import type { Action } from '../record/actions.ts';
import type { Drift, Haste, LiveObject } from './drift.ts';
import { desiredHash, driftOf, hasStoredForm, putRight, storedForm } from './drift.ts';
import type { FieldSet } from '../record/fields.ts';
import type { Desired, DesiredService } from '../record/kube-objects.ts';
import type { Memory, StoredState } from './observed.ts';
import { liveService, meta, observed } from '../testing.ts';

const { memory } = observed();

/** As a release has it: zero values and quantities that the API server writes otherwise. */
const desired: Desired<object> = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { a: '1' }, annotations: { b: '2' } },
  spec: {
    minReadySeconds: 0,
    template: {
      spec: {
        containers: [
          { name: 'main', image: 'web:1', env: [{ name: 'A', value: 'a' }], resources: { limits: { cpu: '1000m' } } },
        ],
        nodeSelector: { pool: 'a' },
        tolerations: [],
      },
    },
  },
};

/** What the API server says is ours: `f` and `k` parts as in managedFields. */
const FIELDS: FieldSet = {
  'f:metadata': { 'f:labels': { 'f:a': {} }, 'f:annotations': { 'f:b': {} } },
  'f:spec': {
    'f:minReadySeconds': {},
    'f:replicas': {},
    'f:template': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"main"}': {
            '.': {},
            'f:name': {},
            'f:image': {},
            'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            'f:resources': { 'f:limits': { 'f:cpu': {} } },
          },
        },
        'f:nodeSelector': {},
        'f:tolerations': {},
      },
    },
  },
};

const main = {
  name: 'main',
  image: 'web:1',
  env: [{ name: 'A', value: 'a' }],
  resources: { limits: { cpu: '1' } },
  terminationMessagePath: '/dev/termination-log',
};
const sidecar = { name: 'sidecar', image: 'mesh:1' };

interface Change {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  template?: object;
  pod?: object;
  containers?: object[];
  spec?: object;
}

/** The live object, as the API server stores what is desired, but for what somebody changed. */
function stored({ labels, annotations, template, pod, containers = [main], spec }: Change = {}): LiveObject {
  const more = { labels: labels ?? { a: '1' }, annotations: annotations ?? { b: '2' }, generation: 7 };
  const own = { containers, nodeSelector: { pool: 'a' }, ...pod };
  return { metadata: meta('web', more), spec: { replicas: 3, ...spec, template: { ...template, spec: own } } };
}

function state(of: Desired<unknown> = desired, answer = stored(), more: Partial<StoredState> = {}): StoredState {
  return { hash: desiredHash(of), form: storedForm(of, answer, FIELDS), held: true, ...more };
}

function knowing(known: StoredState, more: Partial<Memory> = {}): Memory {
  return { ...memory, stored: new Map([['Deployment/web', known]]), ...more };
}

describe('against what the API server stores', () => {
  test.each<[string, Change]>([
    ['a zero that it leaves out, and a quantity that it writes otherwise', {}],
    ['another scale', { spec: { replicas: 9 } }],
    ['a restart', { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } }],
    ["others' labels and annotations", { labels: { a: '1', x: 'y' }, annotations: { b: '2', x: 'y' } }],
    ['a field that we leave to it', { pod: { dnsPolicy: 'Default' } }],
    ['a container of others', { containers: [sidecar, main] }],
    [
      'a variable of others',
      {
        containers: [
          {
            ...main,
            env: [
              { name: 'B', value: 'b' },
              { name: 'A', value: 'a' },
            ],
          },
        ],
      },
    ],
  ])('%s is no drift', (_what, change) => {
    expect(driftOf(knowing(state()), desired, stored(change))).toBe('None');
  });

  test.each<[string, Change]>([
    ['a zero that is one no more', { spec: { minReadySeconds: 5 } }],
    ['a quantity', { containers: [{ ...main, resources: { limits: { cpu: '2' } } }] }],
    ['an image', { containers: [{ ...main, image: 'web:2' }] }],
    ['a variable', { containers: [{ ...main, env: [{ name: 'A', value: 'b' }] }] }],
    ['a variable that is gone', { containers: [{ ...main, env: [] }] }],
    ['a container that is gone', { containers: [sidecar] }],
    ['a key more in a map that is one field', { pod: { nodeSelector: { pool: 'a', zone: 'z' } } }],
    ['an item in a list that was sent empty', { pod: { tolerations: [{ operator: 'Exists' }] } }],
    ['a label', { labels: { a: '2' } }],
    ['a label that is gone', { labels: {} }],
    ['an annotation', { annotations: { b: '3' } }],
  ])('%s is', (_what, change) => {
    expect(driftOf(knowing(state()), desired, stored(change))).toBe('Differs');
  });

  test('what an admission webhook makes of it is none, until somebody changes that', () => {
    const mutated = { labels: { a: 'mutated' }, containers: [{ ...main, image: 'mirror/web:1' }, sidecar] };
    const known = knowing(state(desired, stored(mutated)));
    expect(driftOf(known, desired, stored(mutated))).toBe('None');
    expect(driftOf(known, desired, stored({ ...mutated, containers: [main, sidecar] }))).toBe('Differs');
  });

  test('the size that was asked for is written, but not where a policy makes another of just this one', () => {
    const asked = { ...desired, spec: { ...desired.spec, replicas: 1 } };
    const known = knowing(state(asked, stored({ spec: { replicas: 2 } })));
    expect(driftOf(known, asked, stored({ spec: { replicas: 2 } }))).toBe('None');
    expect(driftOf(known, asked, stored({ spec: { replicas: 3 } }))).toBe('Differs');
    const more = { ...desired, spec: { ...desired.spec, replicas: 5 } };
    expect(driftOf(known, more, stored({ spec: { replicas: 2 } }))).toBe('Differs');
    expect(driftOf(knowing(state(more, stored({ spec: { replicas: 5 } }))), desired, stored())).toBe('None');
  });
});

describe('where nobody knows how it is stored', () => {
  const changed = { ...desired, metadata: { ...desired.metadata, annotations: { b: '3' } } };

  test.each<[string, Drift, Memory, Desired<unknown>, LiveObject]>([
    ['it is asked', 'Unknown', memory, desired, stored()],
    [
      'not for what is there word by word',
      'None',
      memory,
      desired,
      stored({ spec: { minReadySeconds: 0 }, containers: [{ ...main, resources: { limits: { cpu: '1000m' } } }] }),
    ],
    ['not for another state than the last', 'Differs', knowing(state()), changed, stored()],
    [
      'not where a dry run was refused',
      'Differs',
      knowing({ hash: desiredHash(desired), held: false }),
      desired,
      stored(),
    ],
  ])('%s', (_what, drift, known, wanted, live) => {
    expect(driftOf(known, wanted, live)).toBe(drift);
  });

  const service: DesiredService = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', labels: { a: '1' } },
    spec: { selector: { track: 'web-1' }, ports: [{ port: 80, targetPort: 80 }] },
  };
  const own = liveService(service);
  const owner = { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' };
  const owned = { ...service, metadata: { ...service.metadata, ownerReferences: [owner] } };

  test.each<[string, Drift, DesiredService, LiveObject]>([
    ['an owned label', 'Unknown', service, { ...own, metadata: meta('web', { labels: { a: '2' } }) }],
    ['a port', 'Unknown', service, { ...own, spec: { ...own.spec, ports: [{ port: 81, targetPort: 80 }] } }],
    [
      'a key more in the selector',
      'Differs',
      service,
      { ...own, spec: { ...own.spec, selector: { track: 'web-1', x: 'y' } } },
    ],
    ['an owner that was lost', 'Unknown', owned, own],
    [
      'an owner more',
      'None',
      owned,
      { ...own, metadata: { ...own.metadata, ownerReferences: [{ ...owner, uid: 'other' }, owner] } },
    ],
    [
      'what others add and the API server defaults',
      'None',
      service,
      {
        metadata: meta('web', { labels: { a: '1', theirs: 'x' } }),
        spec: { ...own.spec, clusterIP: '10.0.0.1', ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }] },
      },
    ],
  ])('%s', (_what, drift, wanted, live) => {
    expect(driftOf(memory, wanted, live)).toBe(drift);
  });
});

describe('what is written', () => {
  const write: Action = { kind: 'ApplyDeployment', message: 'write', deployment: desired as never, force: true };
  const drifted = stored({ labels: { a: '2' } });
  const contested = new Map([['Deployment/web', { hash: desiredHash(desired), manager: 'stubborn' }]]);
  const known = knowing(state(), { contested });
  const wanted = { ...desired, metadata: { ...desired.metadata, annotations: { b: '3' } } };

  test.each<[string, string[], Memory, Desired<unknown>, LiveObject, Haste]>([
    ['nothing where nothing differs', [], known, desired, stored(), 'WhateverOthersDo'],
    ['what differs', ['ApplyDeployment'], knowing(state()), desired, drifted, 'AskFirst'],
    ['a question where it is unknown', ['DryRunApply'], memory, desired, stored(), 'AskFirst'],
    ['no question where it is urgent', ['ApplyDeployment'], memory, desired, stored(), 'AtOnce'],
    ['nothing where somebody contests just this state', [], known, desired, drifted, 'AskFirst'],
    ['nor where it would not be asked about', [], known, desired, drifted, 'AtOnce'],
    ['a new state, whoever contested the last', ['ApplyDeployment'], known, wanted, drifted, 'AskFirst'],
    ['the way back, whoever contests it', ['ApplyDeployment'], known, desired, drifted, 'WhateverOthersDo'],
    [
      'another size, whoever contests the rest',
      ['ApplyDeployment'],
      known,
      { ...desired, spec: { ...desired.spec, replicas: 5 } },
      drifted,
      'AskFirst',
    ],
  ])('%s', (_what, kinds, remembered, of, live, haste) => {
    expect(putRight(remembered, of, live, write, haste).map(({ kind }) => kind)).toEqual(kinds);
  });
});

test('neither the version of the object nor its scale is part of the desired state', () => {
  const other = {
    ...desired,
    metadata: { ...desired.metadata, resourceVersion: '9' },
    spec: { ...desired.spec, replicas: 4 },
  };
  expect(desiredHash(other)).toBe(desiredHash(desired));
  expect(desiredHash({ ...desired, spec: {} })).not.toBe(desiredHash(desired));
});

test('an object in which no field is ours has none that differs', () => {
  expect(hasStoredForm(storedForm(desired, stored(), { '.': {} }), stored({ labels: {} }))).toBe(true);
});
