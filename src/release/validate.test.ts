import { expect, test } from 'vitest';
import { spec } from './testing.ts';
import { validateSpec } from './validate.ts';

const containers = [{ name: 'main', image: 'web:1', ports: [{ name: 'http', containerPort: 80 }] }];
const nodeSelector = { pool: 'a' };

test.each([
  [
    'a pool without nodes',
    { stages: [{ name: 's', pools: [{ name: 'a' }] }] },
    'UnknownPool',
    /^spec\.stages\[0\]\.pools\[0\] \(a\): .*give nodeSelector/,
  ],
  [
    'a port that fits nothing',
    { service: { ports: [{ port: 80, targetPort: 'web' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: .*"web": name one of http/,
  ],
  [
    'a difference of a container that there is not',
    {
      stages: [
        { name: 's', pools: [{ name: 'a', nodeSelector, template: { spec: { containers: [{ name: 'x' }] } } }] },
      ],
    },
    'UnknownContainer',
    /pools\[0\] \(a\)\.template\.spec\.containers: .*named x: it has main/,
  ],
  [
    'a restart policy that a Deployment cannot have',
    { template: { spec: { containers, restartPolicy: 'Never' } } },
    'InvalidTemplate',
    /^spec\.template\.spec\.restartPolicy: .*remove the field/,
  ],
  [
    'a Service shared by stages',
    {
      stages: [
        { name: 's', pools: [{ name: 'a', nodeSelector, serviceName: 'web' }] },
        { name: 't', pools: [{ name: 'b', nodeSelector, serviceName: 'web' }] },
      ],
    },
    'InvalidService',
    /web is used in the stages s and t/,
  ],
])('2.1 %s is named with its field and the way out', (_what, more, reason, message) => {
  expect(validateSpec(spec(more), 'web')).toMatchObject({ reason, message: expect.stringMatching(message) as unknown });
});

test('a spec that is right has no problem', () => {
  expect(validateSpec(spec(), 'web')).toBeUndefined();
});
