import { expect, test } from 'vitest';
import { toCachedDeployment } from './deployments.ts';
import { toCachedNode } from './nodes.ts';
import { toCachedService } from './services.ts';

test.each([
  [['kube-controller-manager'], 'kube-controller-manager'],
  [['apprelease'], undefined],
  // With the same value several own it: it is still the operator's.
  [['kube-controller-manager', 'apprelease'], undefined],
  [[], undefined],
])('the scale that %j own is %s’s', (managers, owner) => {
  const managedFields = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }));
  const metadata = { name: 'web', uid: '1', resourceVersion: '1', creationTimestamp: '', managedFields };
  const spec = { selector: { matchLabels: {} }, template: { spec: { containers: [] } } };
  const kept = toCachedDeployment({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
  expect(kept.replicasOwner).toBe(owner);
});

test('an image of a VM that has lost its names to another one is nobody’s', () => {
  const metadata = { name: 'vm-1', uid: '1', resourceVersion: '1', creationTimestamp: '' };
  const images = [{ names: null }, {}, { names: ['registry.example.com/web@sha256:1', 'registry.example.com/web:1'] }];
  const kept = toCachedNode({ apiVersion: 'v1', kind: 'Node', metadata, status: { images } });
  expect(kept.images).toEqual(['registry.example.com/web@sha256:1', 'registry.example.com/web:1']);
});

test.each([
  [['kubectl'], 'kubectl'],
  [['apprelease', 'kubectl'], undefined],
  [[], undefined],
])('the selector that %j own is %s’s', (managers, owner) => {
  const managedFields = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:selector': {} } } }));
  const metadata = { name: 'web', uid: '1', resourceVersion: '1', creationTimestamp: '', managedFields };
  expect(toCachedService({ apiVersion: 'v1', kind: 'Service', metadata, spec: {} }).selectorOwner).toBe(owner);
});
