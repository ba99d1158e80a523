import { expect, test } from 'vitest';
import type { Budget } from '../../release/record/kube-objects.ts';
import { isNewsOfContent } from './reuse.ts';

test('the measurements of an autoscaler need no pass, its decision does', () => {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  const autoscaler = {
    metadata: { name: 'web', namespace: 'shop', uid: '1', resourceVersion: '1', creationTimestamp: '' },
    spec: { scaleTargetRef, maxReplicas: 3 },
    desiredReplicas: 2,
  };
  const measured = { ...autoscaler, metadata: { ...autoscaler.metadata, resourceVersion: '2' } };
  expect(isNewsOfContent(measured, autoscaler)).toBe(false);
  expect(isNewsOfContent({ ...measured, desiredReplicas: 3 }, autoscaler)).toBe(true);
  expect(isNewsOfContent({ ...measured, spec: { scaleTargetRef, maxReplicas: 4 } }, autoscaler)).toBe(true);
});

test('a budget of which the status alone has changed needs no pass', () => {
  const metadata = { name: 'b', namespace: 'shop', uid: 'b', resourceVersion: '1', creationTimestamp: '' };
  const budget: Budget = { metadata, spec: { selector: { matchLabels: { app: 'web' } } } };
  expect(isNewsOfContent({ ...budget, metadata: { ...metadata, resourceVersion: '2' } }, budget)).toBe(false);
  expect(isNewsOfContent({ ...budget, spec: {} }, budget)).toBe(true);
});
