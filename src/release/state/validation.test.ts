import { describe, expect, test } from 'vitest';
import { spec } from '../testing.ts';
import { validateSpec } from './validation.ts';

const containers = [{ name: 'main', image: 'web:1', ports: [{ name: 'http', containerPort: 80 }] }];
const nodeSelector = { pool: 'a' };

test.each([
  [
    'a pool without known VMs',
    { stages: [{ name: 's', pools: [{ name: 'a' }] }] },
    'UnknownPool',
    /^spec\.stages\[0\]\.pools\[0\] \(a\): the VMPool a does not exist, .*set nodeSelector/,
  ],
  [
    'a targetPort that no container has',
    { service: { ports: [{ port: 80, targetPort: 'web' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: .*"web": name one of http/,
  ],
  [
    'a port number in quotes',
    { service: { ports: [{ port: 80, targetPort: '80' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: .*"80": .*or give a number \(without quotes\)/,
  ],
  [
    'a targetPort with another protocol',
    { service: { ports: [{ port: 80, targetPort: 'http', protocol: 'UDP' }] }, template: { spec: { containers } } },
    'InvalidPort',
    /^spec\.service\.ports\[0\]\.targetPort: the port named "http" is TCP, not UDP: /,
  ],
  [
    'a targetPort of an init container that is not a sidecar',
    { template: { spec: { containers: [{ name: 'main', image: 'web:1' }], initContainers: containers } } },
    'InvalidPort',
    /: no container port has a name: give a number \(without quotes\)$/,
  ],
  [
    'BlueGreen without a Service',
    { service: undefined },
    'InvalidService',
    /^spec\.service: .*or strategy\.type RollingUpdate/,
  ],
  [
    'a label in workloadMetadata that is not valid',
    { workloadMetadata: { labels: { 'example.com/team': 'two words' } } },
    'InvalidSpec',
    /^spec\.workloadMetadata\.labels: example\.com\/team: "two words" is not a valid label value/,
  ],
  [
    'an annotation in workloadMetadata without a valid key',
    { workloadMetadata: { annotations: { 'Example.com/team': 'two words', 'a b': 'x' } } },
    'InvalidSpec',
    /^spec\.workloadMetadata\.annotations: "a b" is not a valid annotation key: write \[prefix\/\]name/,
  ],
  [
    'a nodeSelector that is not a valid label',
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
    /^spec\.stages\[0\]\.pools\[1\] \(b\)\.nodeSelector: pool: "two words" is not a valid label value: use at most 63/,
  ],
  [
    'an invalid label of the Services',
    { service: { ports: [{ port: 80 }], metadata: { labels: { 'Team/x': 'a' } } } },
    'InvalidService',
    /^spec\.service\.metadata\.labels: "Team\/x" is not a valid label key: write \[prefix\/\]name/,
  ],
  [
    'a template that is too large for a revision',
    { template: { metadata: { annotations: { page: 'x'.repeat(256 * 1024) } }, spec: { containers } } },
    'InvalidTemplate',
    /^spec\.template: .* have 257 KiB together, .* at most 256 KiB: move .* to a ConfigMap/,
  ],
  [
    'a pool template with an unknown container',
    {
      stages: [
        { name: 's', pools: [{ name: 'a', nodeSelector, template: { spec: { containers: [{ name: 'x' }] } } }] },
      ],
    },
    'UnknownContainer',
    /pools\[0\] \(a\)\.template\.spec\.containers: .*named x: it has main/,
  ],
  [
    'a restartPolicy that a Deployment cannot have',
    { template: { spec: { containers, restartPolicy: 'Never' } } },
    'InvalidTemplate',
    /^spec\.template\.spec\.restartPolicy: .*remove the field/,
  ],
  [
    'a Service that pools of two stages share',
    {
      stages: [
        { name: 's', pools: [{ name: 'a', nodeSelector, serviceName: 'web' }] },
        { name: 't', pools: [{ name: 'b', nodeSelector, serviceName: 'web' }] },
      ],
    },
    'InvalidService',
    /web is used in the stages s and t/,
  ],
])('%s gives a message with the field and the way out', (_what, more, reason, message) => {
  expect(validateSpec(spec(more), 'web')).toMatchObject({ reason, message: expect.stringMatching(message) as unknown });
});

test.each([
  ['a minimal spec', {}],
  ['a targetPort by number', { service: { ports: [{ port: 80, targetPort: 8080 }] } }],
  [
    'a targetPort of a sidecar',
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
    'two ports with the same name and different protocols',
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
])('%s is valid', (_what, more) => {
  expect(validateSpec(spec(more), 'web')).toBeUndefined();
});

describe('a spec can have', () => {
  function stagesOf(pools: object[]) {
    const stages = Array.from({ length: Math.ceil(pools.length / 16) }, (_, index) => ({
      name: `s${index}`,
      pools: pools.slice(index * 16, index * 16 + 16),
    }));
    return { stages };
  }
  function poolsOf(count: number, more: object) {
    return stagesOf(Array.from({ length: count }, (_, index) => ({ name: `p${index}`, nodeSelector: {}, ...more })));
  }
  function problemOf(more: Record<string, unknown>) {
    return validateSpec(spec(more), 'web');
  }
  function imagesOf(count: number) {
    const volumes = Array.from({ length: count - 2 }, (_, index) => ({
      name: `v${index}`,
      image: { reference: `data:${index}` },
    }));
    const initContainers = [{ name: 'init', image: 'init:1' }];
    return { template: { spec: { containers, initContainers, volumes } } };
  }

  test('64 images including those of volumes, each counted once', () => {
    expect(problemOf(imagesOf(64))).toBeUndefined();
    const twice = imagesOf(64);
    twice.template.spec.volumes.push({ name: 'again', image: { reference: 'data:0' } });
    expect(problemOf(twice)).toBeUndefined();
    expect(problemOf(imagesOf(65))).toMatchObject({
      reason: 'InvalidTemplate',
      message: expect.stringMatching(
        /^spec\.template\.spec: .* name 65 images, and a version can have at most 64/,
      ) as string,
    });
  });

  test('8 MiB of rendered templates, even if the pool templates are small', () => {
    const args = ['x'.repeat(100 * 1024)];
    const template = { spec: { containers: [{ ...containers[0], args }] } };
    const little = { template: { spec: { serviceAccountName: 'own' } } };
    expect(problemOf({ template, ...poolsOf(80, little) })).toBeUndefined();
    expect(problemOf({ template, ...poolsOf(256, {}) })).toBeUndefined();
    expect(problemOf({ template, ...poolsOf(90, little) })).toMatchObject({
      reason: 'InvalidTemplate',
      message: expect.stringMatching(
        /^spec\.stages: the rendered templates of the 90 pools with a template have 9\d\d\d KiB together, .* 8192 KiB/,
      ) as string,
    });
  });

  test('250 KiB without its templates', () => {
    function labelled(count: number) {
      const nodeSelector = Object.fromEntries(
        Array.from({ length: count }, (_, key) => [`key-${key}`, 'v'.repeat(50)]),
      );
      return poolsOf(256, { nodeSelector });
    }
    expect(problemOf(labelled(10))).toBeUndefined();
    expect(problemOf(labelled(20))).toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringMatching(
        /^spec\.stages: the spec without its templates has \d+ KiB, and the operator can record at most 250 KiB/,
      ) as string,
    });
  });
});
