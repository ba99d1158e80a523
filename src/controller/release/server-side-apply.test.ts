import { expect, test } from 'vitest';
import { ownerReference } from '../../release/record/desired.ts';
import type { DesiredObject } from '../../release/record/kube-objects.ts';
import { meta } from '../../release/testing.ts';
import { namesAll } from './server-side-apply.ts';

const owner = ownerReference(meta('web'));
const sent = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', labels: { a: '1' }, annotations: { b: '2' }, ownerReferences: [owner] },
  spec: { type: 'ClusterIP', selector: { track: 'web-2' }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
} as DesiredObject;

const live = {
  metadata: meta('web', { labels: { a: '1' }, annotations: { b: '1' }, ownerReferences: [owner] }),
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.0.0.1',
    sessionAffinity: 'None',
    selector: { track: 'web-1' },
    ports: [{ port: 80, targetPort: 8080, protocol: 'TCP', nodePort: 30_080 }],
  },
};

test.each<[string, boolean, { metadata?: object; spec?: object }]>([
  ['other values are named', true, {}],
  ['a label more is not', false, { metadata: { labels: { a: '1', c: '1' } } }],
  ['an annotation more is not', false, { metadata: { annotations: { c: '1' } } }],
  ['another owner is not', false, { metadata: { ownerReferences: [owner, { ...owner, uid: 'another' }] } }],
  ['a port more is not', false, { spec: { ports: [...live.spec.ports, { port: 81, protocol: 'TCP' }] } }],
  ['a field of a port is not', false, { spec: { ports: [{ ...live.spec.ports[0], name: 'http' }] } }],
  ['a key more of the selector is not', false, { spec: { selector: { track: 'web-1', app: 'web' } } }],
  ['an affinity is not', false, { spec: { sessionAffinity: 'ClientIP' } }],
])('of what an apply leaves behind: %s', (_what, expected, change) => {
  const metadata = { ...live.metadata, ...change.metadata };
  expect(namesAll(sent, { metadata, spec: { ...live.spec, ...change.spec } })).toBe(expected);
});

test.each([
  ['data more is not', false, { a: '1', b: '2' }],
  ['other data is named', true, { a: '2' }],
])('of what an apply of a kind without a spec leaves behind: %s', (_what, expected, data) => {
  const { spec: _spec, ...identity } = sent;
  const live = { metadata: meta('web', identity.metadata), data };
  expect(namesAll({ ...identity, data: { a: '1' } } as DesiredObject, live)).toBe(expected);
});
