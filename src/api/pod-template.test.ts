import { describe, expect, test } from 'vitest';
import type { StructuralSchema } from './crd.ts';
import { structuralSchema } from './crd.ts';
import { podTemplate, poolTemplateSchema } from './pod-template.ts';

const CONTAINER = { name: 'main', image: 'web:1' };

function ofContainer(fields: object) {
  return { spec: { containers: [{ ...CONTAINER, ...fields }] } };
}

function ofPod(fields: object) {
  return { spec: { containers: [CONTAINER], ...fields } };
}

function spreadBy(fields: object) {
  return ofPod({ topologySpreadConstraints: [{ topologyKey: 'zone', maxSkew: 1, ...fields }] });
}

function onNodes(requiredDuringSchedulingIgnoredDuringExecution: unknown) {
  return ofPod({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution } } });
}

describe('a field that the operator reads has the type that Kubernetes gives it', () => {
  test.each<[string, object]>([
    ['spec.containers.0.env', ofContainer({ env: { A: 'b' } })],
    ['spec.containers.0.env.0', ofContainer({ env: ['A=b'] })],
    ['spec.containers.0.env.0.name', ofContainer({ env: [{ value: 'b' }] })],
    ['spec.containers.0.ports', ofContainer({ ports: 80 })],
    ['spec.containers.0.ports.0', ofContainer({ ports: [80] })],
    ['spec.containers.0.ports.0.name', ofContainer({ ports: [{ name: 80 }] })],
    ['spec.containers.0.ports.0.hostPort', ofContainer({ ports: [{ hostPort: '80' }] })],
    ['spec.containers.0.resources', ofContainer({ resources: '1Gi' })],
    ['spec.containers.0.resources.limits', ofContainer({ resources: { limits: ['1Gi'] } })],
    ['spec.containers.0.resources.limits.cpu', ofContainer({ resources: { limits: { cpu: { of: 1 } } } })],
    ['spec.containers.0.imagePullPolicy', ofContainer({ imagePullPolicy: true })],
    ['spec.initContainers.0.restartPolicy', ofPod({ initContainers: [{ ...CONTAINER, restartPolicy: {} }] })],
    ['spec.initContainers.0.resources', ofPod({ initContainers: [{ ...CONTAINER, resources: [] }] })],
    ['spec.volumes', ofPod({ volumes: { data: {} } })],
    ['spec.volumes.0', ofPod({ volumes: ['data'] })],
    ['spec.volumes.0.image', ofPod({ volumes: [{ image: 'data:1' }] })],
    ['spec.volumes.0.image.reference', ofPod({ volumes: [{ image: { reference: 1 } }] })],
    ['spec.volumes.0.persistentVolumeClaim', ofPod({ volumes: [{ persistentVolumeClaim: 'claim' }] })],
    ['spec.imagePullSecrets', ofPod({ imagePullSecrets: { name: 'key' } })],
    ['spec.imagePullSecrets.0', ofPod({ imagePullSecrets: ['key'] })],
    ['spec.serviceAccountName', ofPod({ serviceAccountName: 7 })],
    ['spec.hostNetwork', ofPod({ hostNetwork: 'true' })],
    ['spec.restartPolicy', ofPod({ restartPolicy: [] })],
    ['spec.nodeSelector', ofPod({ nodeSelector: ['disk=ssd'] })],
    ['spec.nodeSelector.ssd', ofPod({ nodeSelector: { ssd: true } })],
    ['spec.tolerations', ofPod({ tolerations: { key: 'a' } })],
    ['spec.tolerations.0.key', ofPod({ tolerations: [{ key: 1 }] })],
    ['spec.overhead', ofPod({ overhead: '1Gi' })],
    ['spec.resources.requests', ofPod({ resources: { requests: 1 } })],
    ['spec.affinity', ofPod({ affinity: [] })],
    ['spec.affinity.nodeAffinity', ofPod({ affinity: { nodeAffinity: 'zone' } })],
    [
      'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms',
      onNodes({ nodeSelectorTerms: {} }),
    ],
    [
      'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.0.matchExpressions.0.values',
      onNodes({ nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: 'a' }] }] }),
    ],
    [
      'spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution',
      ofPod({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: {} } } }),
    ],
    ['spec.topologySpreadConstraints', ofPod({ topologySpreadConstraints: 'zone' })],
    ['spec.topologySpreadConstraints.0.maxSkew', spreadBy({ maxSkew: '1' })],
    ['spec.topologySpreadConstraints.0.labelSelector.matchLabels', spreadBy({ labelSelector: { matchLabels: [] } })],
    ['spec.topologySpreadConstraints.0.matchLabelKeys', spreadBy({ matchLabelKeys: 'app' })],
  ])('%s', (path, template) => {
    const { error } = podTemplate.safeParse(template);
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });

  test('also in the template of a pool', () => {
    const { error } = poolTemplateSchema.safeParse({
      spec: { containers: [{ name: 'main', resources: { limits: '1Gi' } }] },
    });
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual(['spec.containers.0.resources.limits']);
  });

  test('an amount may be a number or a string, whole or fractional', () => {
    const template = ofContainer({ resources: { requests: { cpu: 0.5, memory: '1Gi', 'example.com/gpu': 1 } } });
    expect(podTemplate.safeParse(template).data).toEqual(template);
  });
});

test('parsing adds, removes and reorders nothing', () => {
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: {
      containers: [
        { name: 'main', image: 'web:1', env: [{ value: 'b', name: 'A' }], args: [], ports: [{ containerPort: 80 }] },
      ],
      volumes: [{ name: 'data', emptyDir: {}, image: { pullPolicy: 'Always', reference: 'data:1' } }],
      tolerations: [{ tolerationSeconds: 5, effect: 'NoExecute', key: 'a' }],
      hostUsers: false,
      constructor: 'unknown',
    },
  };
  expect(JSON.stringify(podTemplate.parse(template))).toBe(JSON.stringify(template));
});

test('parsing removes the metadata that is not used, so that a change of it makes no revision', () => {
  const used = { labels: { app: 'web' }, annotations: { note: 'x' }, finalizers: ['example.com/hold'] };
  const metadata = { name: 'web', ...used, namespace: 'shop', ownerReferences: [{ kind: 'Job' }], lables: {} };
  expect(podTemplate.parse({ ...ofPod({}), metadata }).metadata).toEqual(used);
});

describe('the schema of the CRD', () => {
  const BEFORE = ['metadata', 'spec', 'containers', 'initContainers'];

  function nodes(schema: StructuralSchema, name: string): { name: string; schema: StructuralSchema }[] {
    const inner = [
      ...Object.entries(schema.properties ?? {}),
      ...(schema.items ? [['', schema.items] as const] : []),
      ...(schema.additionalProperties ? [['', schema.additionalProperties] as const] : []),
    ];
    return [{ name, schema }, ...inner.flatMap(([key, child]) => nodes(child, key))];
  }

  const all = nodes(structuralSchema(podTemplate, 'template').properties?.spec ?? {}, 'spec');

  test('leaves every object open, so that it prunes no field', () => {
    const closed = all.filter(
      ({ schema }) =>
        schema.type === 'object' &&
        !schema.additionalProperties &&
        schema['x-kubernetes-preserve-unknown-fields'] !== true,
    );
    expect(closed).toEqual([]);
  });

  test('merges only the lists that it merged before, and has no defaults', () => {
    const merged = all.filter(({ schema }) => schema['x-kubernetes-list-type'] !== undefined);
    expect(merged.map(({ name }) => name)).toEqual(['containers', 'initContainers']);
    expect(all.filter(({ schema }) => 'default' in schema)).toEqual([]);
  });

  test('accepts null for every optional field', () => {
    const strict = all.flatMap(({ schema }) => {
      const required = new Set((schema.required as string[] | undefined) ?? []);
      return Object.entries(schema.properties ?? {})
        .filter(([name, field]) => !required.has(name) && !BEFORE.includes(name) && field.nullable !== true)
        .map(([name]) => name);
    });
    expect(strict).toEqual([]);
  });
});
