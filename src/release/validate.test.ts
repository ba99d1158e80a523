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
    'a port in quotes',
    { service: { ports: [{ port: 80, targetPort: '80' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: .*"80": .*or give a number \(without quotes\)/,
  ],
  [
    'a port of another protocol',
    { service: { ports: [{ port: 80, targetPort: 'http', protocol: 'UDP' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: the port named "http" is TCP, not UDP: /,
  ],
  [
    'a port of an init container that ends before the containers start',
    { template: { spec: { containers: [{ name: 'main', image: 'web:1' }], initContainers: containers } } },
    'InvalidPort',
    /name one of \(none is named\)/,
  ],
  [
    'a node selector that no node can have',
    {
      stages: [
        {
          name: 's',
          pools: [
            { name: 'a', nodeSelector },
            { name: 'b', nodeSelector: { pool: 'two words' } },
          ],
        },
      ],
    },
    'InvalidNodeSelector',
    /^spec\.stages\[0\]\.pools\[1\] \(b\)\.nodeSelector: pool: "two words" is not the value of a label: at most 63/,
  ],
  [
    'a label of the Services that no label can be',
    { service: { ports: [{ port: 80 }], metadata: { labels: { 'Team/x': 'a' } } } },
    'InvalidService',
    /^spec\.service\.metadata\.labels: "Team\/x" is not the key of a label: write \[prefix\/\]name/,
  ],
  [
    'a template that no revision can hold',
    { template: { metadata: { annotations: { page: 'x'.repeat(256 * 1024) } }, spec: { containers } } },
    'InvalidTemplate',
    /^spec\.template: .* it has 257 KiB, .* 256 KiB at most: move .* to a ConfigMap/,
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

test.each([
  ['the least', {}],
  ['a port by number', { service: { ports: [{ port: 80, targetPort: 8080 }] } }],
  [
    'a port of a sidecar',
    {
      template: {
        spec: {
          containers: [{ name: 'main', image: 'web:1' }],
          initContainers: [{ name: 'proxy', image: 'proxy:1', restartPolicy: 'Always', ports: containers[0]?.ports }],
        },
      },
    },
  ],
  [
    'ports of one name in two protocols',
    {
      service: { ports: [{ port: 53, targetPort: 'dns', protocol: 'UDP' }] },
      template: {
        spec: {
          containers: [
            {
              name: 'main',
              image: 'dns:1',
              ports: [
                { name: 'dns', containerPort: 53 },
                { name: 'dns', containerPort: 53, protocol: 'UDP' },
              ],
            },
          ],
        },
      },
    },
  ],
  [
    'labels with prefixes, empty values and 63 characters',
    {
      stages: [
        {
          name: 's',
          pools: [
            { name: 'a', nodeSelector: { 'node.example.com/pool_A.1': '', [`k${'a'.repeat(62)}`]: 'b'.repeat(63) } },
          ],
        },
      ],
    },
  ],
  [
    'a template of 255 KiB',
    { template: { metadata: { annotations: { page: 'x'.repeat(255 * 1024) } }, spec: { containers } } },
  ],
])('2.1 %s that is right is no problem', (_what, more) => {
  expect(validateSpec(spec(more), 'web')).toBeUndefined();
});
