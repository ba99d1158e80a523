import { expect, test } from 'vitest';
import { isNewsOfAutoscaler } from './autoscalers.ts';

test('a change of the measurements is no news, a change of the desired replicas is', () => {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  const autoscaler = {
    metadata: { name: 'web', namespace: 'shop', uid: '1', resourceVersion: '1', creationTimestamp: '' },
    spec: { scaleTargetRef, maxReplicas: 3 },
    desiredReplicas: 2,
  };
  const measured = { ...autoscaler, metadata: { ...autoscaler.metadata, resourceVersion: '2' } };
  expect(isNewsOfAutoscaler(measured, autoscaler)).toBe(false);
  expect(isNewsOfAutoscaler({ ...measured, desiredReplicas: 3 }, autoscaler)).toBe(true);
  expect(isNewsOfAutoscaler({ ...measured, spec: { scaleTargetRef, maxReplicas: 4 } }, autoscaler)).toBe(true);
});
