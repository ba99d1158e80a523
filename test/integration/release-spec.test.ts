// Faults that no schema can express give Stalled with the reason, the field and the way out; workloads do not change.
import { describe, expect } from 'vitest';
import type { World } from './harness.ts';
import { test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release } from './release-objects.ts';

interface Mistake {
  what: string;
  reason: string;
  /** Parts of the message: the field, and the way out. */
  says: RegExp[];
  make: (spec: Spec) => Spec;
}

function withContainer(spec: Spec, fields: object): Spec {
  const [container] = spec.template.spec.containers;
  const containers = [{ name: 'web', image: '', ...container, ...fields }];
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
}

const mistakes: Mistake[] = [
  {
    what: 'a value that Kubernetes rejects',
    reason: 'TemplateRejected',
    says: [/spec\.template\.spec\.containers\[0\]\.ports\[0\]\.containerPort/, /Correct spec\.template/],
    make: (spec) => withContainer(spec, { ports: [{ name: 'http', containerPort: 99_999 }] }),
  },
  {
    what: 'a field that Kubernetes does not know',
    reason: 'TemplateRejected',
    says: [/comand/, /Correct spec\.template/],
    make: (spec) => withContainer(spec, { comand: ['true'] }),
  },
  {
    what: 'a pool that nobody knows',
    reason: 'UnknownPool',
    says: [/spec\.stages\[0\]\.pools\[0\] \(prod-x\)/, /set nodeSelector/],
    make: (spec) => ({ ...spec, stages: [{ name: 'production', pools: [{ name: 'prod-x', replicas: 1 }] }] }),
  },
  {
    what: 'a port that fits nothing',
    reason: 'InvalidPort',
    says: [/spec\.service\.ports\[0\]\.targetPort/, /"admin"/, /name one of http/],
    make: (spec) => ({ ...spec, service: { ports: [{ port: 80, targetPort: 'admin' }] } }),
  },
  {
    what: 'a port that there is not',
    reason: 'InvalidSpec',
    says: [/spec\.service\.ports\[0\]\.targetPort/, /from 1 to 65535/],
    make: (spec) => ({ ...spec, service: { ports: [{ port: 80, targetPort: 70_000 }] } }),
  },
  {
    what: 'a node selector that no node can have',
    reason: 'InvalidNodeSelector',
    says: [/spec\.stages\[0\]\.pools\[0\] \(prod-a\)\.nodeSelector/, /"two words" is not a valid label value/],
    make: (spec) => {
      const stages = [{ name: 'production', pools: [pool('prod-a', 2, { nodeSelector: { pool: 'two words' } })] }];
      return { ...spec, stages };
    },
  },
  {
    what: 'a template that is too large for a revision',
    reason: 'InvalidTemplate',
    says: [/spec\.template/, /at most 256 KiB/, /move files and long values to a ConfigMap/],
    make: (spec) => withContainer(spec, { args: ['x'.repeat(300 * 1024)] }),
  },
  {
    what: 'a container that the template does not have',
    reason: 'UnknownContainer',
    says: [/spec\.stages\[0\]\.pools\[0\] \(prod-a\)\.template\.spec\.containers/, /sidecar/, /it has web/],
    make: (spec) => {
      const template = { spec: { containers: [{ name: 'sidecar' }] } };
      return { ...spec, stages: [{ name: 'production', pools: [pool('prod-a', 2, { template })] }] };
    },
  },
  {
    what: 'a Service shared over stages',
    reason: 'InvalidService',
    says: [/serviceName/, /only pools of one stage may share a Service/],
    make: (spec) => ({
      ...spec,
      stages: [
        { name: 'canary', pools: [pool('canary-vms', 1, { serviceName: 'shop' })] },
        { name: 'production', pools: [pool('prod-a', 2, { serviceName: 'shop' })] },
      ],
    }),
  },
];

async function running(world: World): Promise<string[]> {
  return (await world.pods()).map(({ uid, image, ready }) => `${uid} ${image} ${ready}`).toSorted();
}

describe.concurrent('an invalid spec', () => {
  test('gives the reason and the way out, changes nothing, and continues when corrected', async ({ world }) => {
    const first = release(await world.image('1.0'), { stages: oneStage });
    await world.apply(first);
    await world.released('1.0');
    const before = { pods: await running(world), services: await world.selected() };
    const correct = release(await world.image('2.0'), { stages: oneStage });

    for (const { what, reason, says, make } of mistakes) {
      await world.apply(make(correct));
      const { message } = await world.stalled(reason);
      for (const part of says) expect(message, what).toMatch(part);
      expect(await world.condition('Ready'), what).toMatchObject({ status: 'False', reason });
      expect(await world.condition('Reconciling'), what).toMatchObject({ status: 'False' });
      expect(await world.condition('Available'), what).toMatchObject({ status: 'True' });
      expect({ pods: await running(world), services: await world.selected() }, what).toEqual(before);
      await world.apply(first);
      await world.released('1.0');
    }

    await world.apply(mistakes[0]?.make(correct) ?? correct);
    await world.stalled('TemplateRejected');
    await world.apply(correct);
    await world.released('2.0');
    await world.conditionIs('Stalled', { status: 'False' });
    expect(world.timeline('web-prod-a')).toEqual([1, 2]);
  });

  test('is stalled in its first pass, with all conditions set', async ({ world }) => {
    const stages = [{ name: 'production', pools: [{ name: 'prod-x' }] }];
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.stalled('UnknownPool');
    const { conditions = [], observedGeneration } = await world.status();
    expect(conditions.map(({ type, status }) => `${type}=${status}`).toSorted()).toEqual([
      'Available=False',
      'CapacityAvailable=True',
      'ClockSkewed=False',
      'Contested=False',
      'DigestsPinned=Unknown',
      'DisruptionLimited=False',
      'Paused=False',
      'Placed=True',
      'Ready=False',
      'Reconciling=False',
      'RolledBack=False',
      'Stalled=True',
    ]);
    expect(new Set(conditions.map((condition) => condition.observedGeneration))).toEqual(new Set([observedGeneration]));
    expect(await world.deployments()).toEqual([]);
  });

  test('does not reach the pools in the middle of a rollout', async ({ world }) => {
    const stages: Spec['stages'] = [
      { name: 'canary', soak: '1h', pools: [pool('canary-vms', 1)] },
      { name: 'production', pools: [pool('prod-a', 2)] },
    ];
    await world.apply(release(await world.image('1.0')));
    await world.released('1.0');
    const second = release(await world.image('2.0'), { stages });
    await world.apply(second);
    await world.until(async () => {
      expect((await world.selected())['web-canary-vms']).toBe(2);
    });
    await world.apply({ ...second, service: { ports: [{ port: 80, targetPort: 'admin' }] } });
    await world.stalled('InvalidPort');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 1 });
    expect(await world.pods('prod-a')).toHaveLength(2);
  });
});
