import { describe, expect, test } from 'vitest';
import { toCachedDeployment } from './deployments.ts';
import { toCachedNode, withSeenReadiness } from './nodes.ts';
import { toCachedService } from './services.ts';

/** The operator owns the template. */
const OTHERS = [{ manager: 'apprelease', fieldsV1: { 'f:spec': { 'f:template': {} } } }];

test.each([
  [['kube-controller-manager'], OTHERS, 'kube-controller-manager'],
  [['apprelease'], OTHERS, undefined],
  // Several managers own a field with the same value: the operator still owns it.
  [['kube-controller-manager', 'apprelease'], OTHERS, undefined],
  // A scale to 0 by the scale subresource, and each scale after that.
  [[], OTHERS, 'another manager'],
  // A backup without managed fields.
  [[], [], undefined],
])('the other owner of replicas that %j own, with other fields %j, is %j', (managers, others, owner) => {
  const owned = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }));
  const managedFields = [...owned, ...others];
  const metadata = { name: 'web', uid: '1', resourceVersion: '1', creationTimestamp: '', managedFields };
  const spec = { selector: { matchLabels: {} }, template: { spec: { containers: [] } } };
  const kept = toCachedDeployment({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
  expect(kept.replicasOwner).toBe(owner);
});

test('an image without names is left out of the images of a VM', () => {
  const metadata = { name: 'vm-1', uid: '1', resourceVersion: '1', creationTimestamp: '' };
  const images = [{ names: null }, {}, { names: ['registry.example.com/web@sha256:1', 'registry.example.com/web:1'] }];
  const kept = toCachedNode({ apiVersion: 'v1', kind: 'Node', metadata, status: { images } });
  expect(kept.images).toEqual(['registry.example.com/web@sha256:1', 'registry.example.com/web:1']);
});

test.each([
  [['kubectl'], 'kubectl'],
  [['apprelease', 'kubectl'], undefined],
  [[], undefined],
])('the other owner of a selector that %j own is %s', (managers, owner) => {
  const managedFields = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:selector': {} } } }));
  const metadata = { name: 'web', uid: '1', resourceVersion: '1', creationTimestamp: '', managedFields };
  expect(toCachedService({ apiVersion: 'v1', kind: 'Service', metadata, spec: {} }).selectorOwner).toBe(owner);
});

describe('a VM', () => {
  const creationTimestamp = '2026-01-01T10:00:00Z';

  function node(ready: object | undefined, managedFields: object[] = []) {
    const metadata = { name: 'vm-1', uid: '1', resourceVersion: '1', creationTimestamp, managedFields };
    const conditions = ready ? [{ type: 'Ready', ...ready }] : [];
    return toCachedNode({ apiVersion: 'v1', kind: 'Node', metadata, status: { conditions } } as never);
  }

  const up = node({ status: 'True', lastTransitionTime: '2026-01-01T10:01:00Z' });
  const joins = node({ status: 'False', lastTransitionTime: creationTimestamp });
  const goesDown = node({ status: 'Unknown', lastTransitionTime: '2026-01-01T10:05:00Z' });

  test.each([
    ['is ready', up, undefined],
    ['has reported nothing', node(undefined), true],
    ['joins', joins, true],
    ['never reported', node({ status: 'Unknown', reason: 'NodeStatusNeverUpdated' }), true],
    ['went down', goesDown, undefined],
    ['went down soon after it was seen ready', withSeenReadiness(up, joins), undefined],
    ['goes silent while it joins', withSeenReadiness(joins, goesDown), true],
    ['is ready at last', withSeenReadiness(joins, up), undefined],
  ])('that %s', (_what, { neverReady }, expected) => {
    expect(neverReady).toBe(expected);
  });

  test.each([
    [['unschedulable', '2026-01-01T11:00:00Z'], '2026-01-01T11:00:00Z'],
    [['taints', '2026-01-01T12:00:00Z'], '2026-01-01T12:00:00Z'],
    [['podCIDR', '2026-01-01T13:00:00Z'], undefined],
  ])('whose %j was written', ([field, time], markedAt) => {
    const entry = { manager: 'kubectl', time, fieldsV1: { 'f:spec': { [`f:${field}`]: {} } } };
    expect(node({ status: 'True' }, [entry]).markedAt).toBe(markedAt);
  });
});
