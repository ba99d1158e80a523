import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import type { Drift, Haste, LiveObject } from './drift.ts';
import { desiredHash, driftOf, hasStoredForm, putRight, storedForm } from './drift.ts';
import type { FieldSet } from '../record/fields.ts';
import type { Desired, DesiredBudget, DesiredObject, DesiredService } from '../record/kube-objects.ts';
import type { Memory, StoredState } from './observed.ts';
import { liveService, meta, observed } from '../testing.ts';

const { memory } = observed();

/** A desired state with zero values and quantities that the API server stores differently. */
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

/** The fields that the operator owns according to the API server, as in managedFields. */
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

/** The live object: the desired state as the API server stores it, with a change of somebody else. */
function stored({ labels, annotations, template, pod, containers = [main], spec }: Change = {}): LiveObject {
  const more = { labels: labels ?? { a: '1' }, annotations: annotations ?? { b: '2' }, generation: 7 };
  const own = { containers, nodeSelector: { pool: 'a' }, ...pod };
  return { metadata: meta('web', more), spec: { replicas: 3, ...spec, template: { ...template, spec: own } } };
}

function state(of: DesiredObject = desired, answer = stored(), more: Partial<StoredState> = {}): StoredState {
  return { hash: desiredHash(of), form: storedForm(of, answer, FIELDS), held: true, ...more };
}

function knowing(known: StoredState, more: Partial<Memory> = {}): Memory {
  return { ...memory, stored: new Map([['Deployment/web', known]]), ...more };
}

describe('compared with the stored form', () => {
  test.each<[string, Change]>([
    ['an omitted zero value and a normalized quantity', {}],
    ['another scale', { spec: { replicas: 9 } }],
    ['a restart', { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } }],
    ['labels and annotations of other managers', { labels: { a: '1', x: 'y' }, annotations: { b: '2', x: 'y' } }],
    ['a field that the operator does not own', { pod: { dnsPolicy: 'Default' } }],
    ['a container of another manager', { containers: [sidecar, main] }],
    [
      'an environment variable of another manager',
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
  ])('%s is not drift', (_what, change) => {
    expect(driftOf(knowing(state()), desired, stored(change))).toBe('None');
  });

  test.each<[string, Change]>([
    ['a changed zero value', { spec: { minReadySeconds: 5 } }],
    ['a changed quantity', { containers: [{ ...main, resources: { limits: { cpu: '2' } } }] }],
    ['a changed image', { containers: [{ ...main, image: 'web:2' }] }],
    ['a changed environment variable', { containers: [{ ...main, env: [{ name: 'A', value: 'b' }] }] }],
    ['a removed environment variable', { containers: [{ ...main, env: [] }] }],
    ['a removed container', { containers: [sidecar] }],
    ['an additional key in an atomic map', { pod: { nodeSelector: { pool: 'a', zone: 'z' } } }],
    ['an additional item in an empty list', { pod: { tolerations: [{ operator: 'Exists' }] } }],
    ['a changed label', { labels: { a: '2' } }],
    ['a removed label', { labels: {} }],
    ['a changed annotation', { annotations: { b: '3' } }],
  ])('%s is drift', (_what, change) => {
    expect(driftOf(knowing(state()), desired, stored(change))).toBe('Differs');
  });

  test('a change of an admission webhook is not drift until somebody changes the result', () => {
    const mutated = { labels: { a: 'mutated' }, containers: [{ ...main, image: 'mirror/web:1' }, sidecar] };
    const known = knowing(state(desired, stored(mutated)));
    expect(driftOf(known, desired, stored(mutated))).toBe('None');
    expect(driftOf(known, desired, stored({ ...mutated, containers: [main, sidecar] }))).toBe('Differs');
  });

  test('another scale is drift, except if an admission policy stores that scale for the desired one', () => {
    const asked = { ...desired, spec: { ...desired.spec, replicas: 1 } };
    const known = knowing(state(asked, stored({ spec: { replicas: 2 } })));
    expect(driftOf(known, asked, stored({ spec: { replicas: 2 } }))).toBe('None');
    expect(driftOf(known, asked, stored({ spec: { replicas: 3 } }))).toBe('Differs');
    const more = { ...desired, spec: { ...desired.spec, replicas: 5 } };
    expect(driftOf(known, more, stored({ spec: { replicas: 2 } }))).toBe('Differs');
    expect(driftOf(knowing(state(more, stored({ spec: { replicas: 5 } }))), desired, stored())).toBe('None');
  });
});

type Data = DesiredObject & { data: Record<string, string> };

describe('without a known stored form', () => {
  const changed = { ...desired, metadata: { ...desired.metadata, annotations: { b: '3' } } };

  test.each<[string, Drift, Memory, DesiredObject, LiveObject]>([
    ['the drift is unknown', 'Unknown', memory, desired, stored()],
    [
      'an object that literally has the desired state has no drift',
      'None',
      memory,
      desired,
      stored({ spec: { minReadySeconds: 0 }, containers: [{ ...main, resources: { limits: { cpu: '1000m' } } }] }),
    ],
    ['another desired state than the last one differs', 'Differs', knowing(state()), changed, stored()],
    [
      'a desired state whose dry run was rejected differs',
      'Differs',
      knowing({ hash: desiredHash(desired), held: false }),
      desired,
      stored(),
    ],
  ])('%s', (_what, drift, known, wanted, live) => {
    expect(driftOf(known, wanted, live)).toBe(drift);
  });

  test.each<[string, Drift, Record<string, string>]>([
    ['the same data', 'None', { version: '1' }],
    ['data of another manager beside it', 'None', { version: '1', more: 'x' }],
    ['other data', 'Unknown', { version: '2' }],
    ['no data', 'Unknown', {}],
  ])('of a kind without a spec: %s', (_what, drift, data) => {
    const { spec: _spec, ...identity } = desired;
    const [wanted, found] = [{ version: '1' }, data].map((own) => ({ ...identity, data: own })) as [Data, Data];
    const live = { metadata: meta('web', identity.metadata), data };
    expect(driftOf(memory, wanted, live)).toBe(drift);
    expect(desiredHash(wanted) === desiredHash(found)).toBe(JSON.stringify(data) === '{"version":"1"}');
  });

  test('an object with a label that spec.workloadMetadata no longer has differs', () => {
    const mark = { [ANNOTATION.workloadMetadata]: 'x' };
    expect(
      driftOf(memory, desired, stored({ labels: { a: '1', team: 'shop' }, annotations: { b: '2', ...mark } })),
    ).toBe('Differs');
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
    [
      'a changed owned label gives Unknown',
      'Unknown',
      service,
      { ...own, metadata: meta('web', { labels: { a: '2' } }) },
    ],
    [
      'a changed port gives Unknown',
      'Unknown',
      service,
      { ...own, spec: { ...own.spec, ports: [{ port: 81, targetPort: 80 }] } },
    ],
    [
      'an additional key in the selector gives Differs',
      'Differs',
      service,
      { ...own, spec: { ...own.spec, selector: { track: 'web-1', x: 'y' } } },
    ],
    ['a missing owner reference gives Unknown', 'Unknown', owned, own],
    [
      'an additional owner reference gives None',
      'None',
      owned,
      { ...own, metadata: { ...own.metadata, ownerReferences: [{ ...owner, uid: 'other' }, owner] } },
    ],
    [
      'fields of other managers and defaults of the API server give None',
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

  const budget: DesiredBudget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { pool: 'a' } } },
  };

  test.each<[string, Drift, object]>([
    ['the same selector gives None', 'None', { matchLabels: { pool: 'a' } }],
    ['an additional label, which narrows it, gives Unknown', 'Unknown', { matchLabels: { pool: 'a', x: 'y' } }],
    [
      'an additional expression gives Unknown',
      'Unknown',
      { matchLabels: { pool: 'a' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] },
    ],
  ])('in a budget %s', (_what, drift, selector) => {
    expect(driftOf(memory, budget, { metadata: meta('web'), spec: { ...budget.spec, selector } })).toBe(drift);
  });
});

describe('the write', () => {
  const write: Action = { kind: 'ApplyDeployment', message: 'write', desired: desired as never, force: true };
  const drifted = stored({ labels: { a: '2' } });
  const contested = new Map([['Deployment/web', { hash: desiredHash(desired), manager: 'stubborn' }]]);
  const known = knowing(state(), { contested });
  const wanted = { ...desired, metadata: { ...desired.metadata, annotations: { b: '3' } } };

  test.each<[string, string[], Memory, DesiredObject, LiveObject, Haste]>([
    ['is empty if nothing differs', [], known, desired, stored(), 'WhateverOthersDo'],
    ['is an apply if the object differs', ['ApplyDeployment'], knowing(state()), desired, drifted, 'AskFirst'],
    ['is a dry run if the drift is unknown', ['DryRunApply'], memory, desired, stored(), 'AskFirst'],
    [
      'is an apply if the drift is unknown and the write is urgent',
      ['ApplyDeployment'],
      memory,
      desired,
      stored(),
      'AtOnce',
    ],
    ['is empty if another manager contests this desired state', [], known, desired, drifted, 'AskFirst'],
    ['is empty for a contested state even if the write is urgent', [], known, desired, drifted, 'AtOnce'],
    [
      'is an apply for a new desired state if the last one is contested',
      ['ApplyDeployment'],
      known,
      wanted,
      drifted,
      'AskFirst',
    ],
    [
      'is an apply of a contested state on the way back',
      ['ApplyDeployment'],
      known,
      desired,
      drifted,
      'WhateverOthersDo',
    ],
    [
      'is an apply for another scale if the state is contested',
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

test.each<[what: string, kinds: string[], selector: object, isPaced: boolean]>([
  ['is put back', ['ApplyDeployment'], { app: 'old' }, false],
  ['is not put back twice within the pace', [], { app: 'old' }, true],
  ['with other changes alone is left alone', [], { track: 'web-1' }, false],
])('a contested Service whose selector was changed %s', (_what, kinds, selector, isPaced) => {
  const service: DesiredObject = { ...desired, kind: 'Service', spec: { selector: { track: 'web-1' } } };
  const hash = desiredHash(service);
  const form = storedForm(
    service,
    { ...service, metadata: meta('web', { labels: { a: 'x' } }) },
    {
      'f:spec': { 'f:selector': {} },
      'f:metadata': { 'f:labels': { 'f:a': {} } },
    },
  );
  const remembered: Memory = {
    ...memory,
    stored: new Map([['Service/web', { hash, form, held: true }]]),
    contested: new Map([['Service/web', { hash, manager: 'argocd-controller' }]]),
    paced: new Set(isPaced ? ['Service/web'] : []),
  };
  const live: LiveObject = { metadata: meta('web', { labels: { a: 'x' } }), spec: { selector } };
  const write: Action = { kind: 'ApplyDeployment', message: 'write', desired: service as never, force: true };
  expect(putRight(remembered, service, live, write).map(({ kind }) => kind)).toEqual(kinds);
});

describe('a Deployment that somebody paused', () => {
  const running: Desired<object> = { ...desired, spec: { paused: false, replicas: 1 } };
  const live = (paused?: boolean): LiveObject => ({
    ...stored(),
    spec: { replicas: 1, ...(paused !== undefined && { paused }) },
  });

  test.each<[string, Drift, boolean | undefined]>([
    ['is not as desired', 'Unknown', true],
    ['is as desired without the field', 'None', undefined],
    ['is as desired with the field', 'None', false],
  ])('%s', (_what, drift, paused) => {
    expect(driftOf(memory, running, live(paused))).toBe(drift);
  });
});

test('the hash of a desired state contains neither resourceVersion nor spec.replicas', () => {
  const other = {
    ...desired,
    metadata: { ...desired.metadata, resourceVersion: '9' },
    spec: { ...desired.spec, replicas: 4 },
  };
  expect(desiredHash(other)).toBe(desiredHash(desired));
  expect(desiredHash({ ...desired, spec: {} })).not.toBe(desiredHash(desired));
});

test('an object without fields of the operator has no drift', () => {
  expect(hasStoredForm(storedForm(desired, stored(), { '.': {} }), stored({ labels: {} }))).toBe(true);
});
