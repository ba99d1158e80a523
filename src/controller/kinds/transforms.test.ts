import { expect, test } from 'vitest';
import { toCachedDeployment } from './deployments.ts';
import { toCachedNode } from './nodes.ts';
import { toCachedService } from './services.ts';

test.each([
  [['kube-controller-manager'], 'kube-controller-manager'],
  [['apprelease'], undefined],
  // Several managers own a field with the same value: the operator still owns it.
  [['kube-controller-manager', 'apprelease'], undefined],
  [[], undefined],
])('the other owner of replicas that %j own is %s', (managers, owner) => {
  const managedFields = managers.map((manager) => ({ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }));
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
