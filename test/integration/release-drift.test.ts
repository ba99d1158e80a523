// The operator reverts foreign changes without a conflict loop, leaves foreign fields alone, and does not write to an idle release.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin, cluster, test, versionsOf } from './harness.ts';
import { oneStage, pool, release, worker } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

const autoscalers: Resource = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
};

/** Longer than drains and delayed status writes. */
const SETTLED_MS = 3000;
/** The time without any write. */
const QUIET_MS = 4000;

async function releaseOne(world: World): Promise<void> {
  await world.apply(release(await world.image('1.0'), { stages: oneStage }));
  await world.released('1.0');
}

async function deployment(world: World, name: string) {
  return admin.get(DEPLOYMENTS, { namespace: world.namespace, name });
}

async function service(world: World, name: string) {
  return admin.get(SERVICES, { namespace: world.namespace, name });
}

/** Waits until everything has settled, then checks that nothing is written. */
async function staysQuiet(world: World): Promise<void> {
  const before = await world.until(async () => {
    const versions = await versionsOf(world);
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    expect(await versionsOf(world)).toEqual(versions);
    return versions;
  });
  const { length } = world.operator.writes;
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  expect(world.operator.writes.slice(length)).toEqual([]);
  expect(await versionsOf(world)).toEqual(before);
}

describe.concurrent('a foreign change', () => {
  test('in a Deployment is reverted, with an event that names the manager', async ({ world }) => {
    await releaseOne(world);
    const before = await deployment(world, objectName('web', 'prod-a', 1));
    const [container] = before.spec.template.spec.containers;
    const containers = [{ ...container, image: 'somewhere/else:9', env: [{ name: 'HOTFIX', value: 'yes' }] }];
    await world.merge(
      DEPLOYMENTS,
      objectName('web', 'prod-a', 1),
      { spec: { template: { spec: { containers } } } },
      'night-shift',
    );
    await world.until(async () => {
      const { spec } = await deployment(world, objectName('web', 'prod-a', 1));
      expect(spec.template.spec.containers[0]?.image).toBe(container?.image);
    });
    await world.until(() => {
      const notes = world.operator.notices.filter(({ reason }) => reason === 'DriftPutBack').map(({ note }) => note);
      expect(notes).toEqual([`put back the changes of night-shift in Deployment/${objectName('web', 'prod-a', 1)}`]);
    });
    await world.released('1.0');
  });

  test('in a Service is reverted: selector, ports, labels', async ({ world }) => {
    const spec = release(await world.image('1.0'), { stages: oneStage });
    await world.apply({ ...spec, service: { type: 'NodePort', ports: [{ port: 80, targetPort: 'http' }] } });
    await world.released('1.0');
    world.excuse(/"app":"nothing".*: Service web-prod-a went from 2 ready pods to 0/);
    const before = await service(world, 'web-prod-a');
    const body = {
      metadata: { labels: { [LABEL.managedBy]: 'me' } },
      spec: { selector: { app: 'nothing' }, ports: [{ port: 81, protocol: 'TCP', targetPort: 81 }] },
    };
    await world.merge(SERVICES, 'web-prod-a', body);
    await world.until(async () => {
      const now = await service(world, 'web-prod-a');
      expect(now.spec).toMatchObject({ selector: before.spec.selector, type: 'NodePort' });
      expect(now.spec.ports?.map(({ port }) => port)).toEqual([80]);
      expect(now.metadata).toMatchObject({ labels: { [LABEL.managedBy]: 'apprelease' } });
    });
    await world.released('1.0');
  });

  test('in the ports of a Service blocks no switch, and keeps the node ports', async ({ world }) => {
    const service1 = { type: 'NodePort' as const, ports: [{ port: 80, targetPort: 'http' }] };
    await world.apply(release(await world.image('1.0'), { stages: oneStage, service: service1 }));
    await world.released('1.0');
    const { spec } = await service(world, 'web-prod-a');
    await world.operator.stop();
    const [port] = spec.ports ?? [];
    const ports = [
      { ...port, name: 'mine' },
      { name: 'more', port: 81, protocol: 'TCP', targetPort: 81 },
    ];
    await world.merge(SERVICES, 'web-prod-a', { spec: { ports } });
    await world.apply(release(await world.image('2.0'), { stages: oneStage, service: service1 }));
    await world.operator.start();
    await world.released('2.0');
    const after = await service(world, 'web-prod-a');
    expect(after.spec.ports?.find((candidate) => candidate.port === 80)?.nodePort).toBe(port?.nodePort);
    expect(world.timeline('web-prod-a')).toEqual([1, 2]);
  });

  test('that is repeated is left alone for a while, with the condition Contested', async ({ world }) => {
    await releaseOne(world);
    const changed = { spec: { revisionHistoryLimit: 7 } };
    await world.until(async () => {
      const { spec } = await deployment(world, objectName('web', 'prod-a', 1));
      if (spec.revisionHistoryLimit !== 7)
        await world.merge(DEPLOYMENTS, objectName('web', 'prod-a', 1), changed, 'stubborn');
      expect(await world.condition('Contested')).toMatchObject({ status: 'True', reason: 'FieldsContested' });
    });
    await world.conditionIs('Contested', {
      message: expect.stringMatching(/stubborn keeps changing Deployment\/web-prod-a-1-\w+/) as string,
    });
    await world.merge(DEPLOYMENTS, objectName('web', 'prod-a', 1), changed, 'stubborn');
    await world.until(async () => {
      const { metadata, status } = await deployment(world, objectName('web', 'prod-a', 1));
      expect(status?.observedGeneration).toBe(metadata.generation);
      expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
    });
    await staysQuiet(world);
    expect((await deployment(world, objectName('web', 'prod-a', 1))).spec.revisionHistoryLimit).toBe(7);
    await world.conditionIs('Available', { status: 'True' });
    const putBack = world.operator.notices.filter(({ reason }) => ['DriftPutBack', 'Contested'].includes(reason));
    expect(putBack.length).toBeLessThanOrEqual(4);
  });

  test('that deletes a Deployment makes the operator create it again', async ({ world }) => {
    await releaseOne(world);
    world.excuse(/Deployment web-prod-a-1-\w+ deleted/);
    await world.remove(DEPLOYMENTS, objectName('web', 'prod-a', 1));
    await world.until(async () => {
      expect(await world.pool('prod-a')).toMatchObject({ revision: 1, readyReplicas: 2 });
      expect((await deployment(world, objectName('web', 'prod-a', 1))).status?.readyReplicas).toBe(2);
    });
    await world.released('1.0');
  });

  test('in other fields is kept', async ({ world }) => {
    await releaseOne(world);
    await world.merge(DEPLOYMENTS, objectName('web', 'prod-a', 1), { metadata: { labels: { team: 'shop' } } });
    await world.merge(SERVICES, 'web-prod-a', { metadata: { annotations: { 'example.com/dns': 'shop' } } });
    await staysQuiet(world);
    expect((await deployment(world, objectName('web', 'prod-a', 1))).metadata).toMatchObject({
      labels: { team: 'shop' },
    });
    expect((await service(world, 'web-prod-a')).metadata).toMatchObject({ annotations: { 'example.com/dns': 'shop' } });
  });
});

/** An active policy that changes every Deployment of the world's namespace. */
async function mutate(world: World, expression: string): Promise<void> {
  const name = world.namespace;
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const policy = {
    apiVersion,
    kind: 'MutatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
      },
      reinvocationPolicy: 'IfNeeded',
      mutations: [
        { patchType: 'ApplyConfiguration', applyConfiguration: { expression } },
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"mutated": "yes"}}}' },
        },
      ],
    },
  };
  const binding = {
    apiVersion,
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name },
  };
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [policy, binding] });
  await cluster.kubectl(['apply', '-f', '-'], { input });
  await world.until(async () => {
    const made = ['create', 'deployment', 'probe', '--image=probe:1', '--dry-run=server'];
    expect(await world.kubectl(...made, '--output=jsonpath={.metadata.labels.mutated}')).toBe('yes');
  });
}

async function endMutation(world: World): Promise<void> {
  const { namespace: name } = world;
  const objects = [`mutatingadmissionpolicy/${name}`, `mutatingadmissionpolicybinding/${name}`];
  await cluster.kubectl(['delete', ...objects]);
}

describe.concurrent('a mutating admission policy', () => {
  test('that adds a label and a variable causes no conflict loop', async ({ world }) => {
    await mutate(
      world,
      `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
        containers: object.spec.template.spec.containers.map(c, Object.spec.template.spec.containers{
          name: c.name, env: [Object.spec.template.spec.containers.env{name: "ZONE", value: "a"}]})}}}}`,
    );
    await releaseOne(world);
    await staysQuiet(world);
    for (const { env } of await world.pods()) expect(env).toEqual({ ZONE: 'a' });
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await staysQuiet(world);
    const reasons = world.operator.notices.map(({ reason }) => reason);
    expect(reasons).not.toContain('DriftPutBack');
    await world.conditionIs('Contested', { status: 'False' });
    await endMutation(world);
  });

  test('that changes a field of the operator causes no conflict loop', async ({ world }) => {
    await mutate(world, 'Object{spec: Object.spec{minReadySeconds: 1}}');
    await releaseOne(world);
    await staysQuiet(world);
    expect((await deployment(world, objectName('web', 'prod-a', 1))).spec.minReadySeconds).toBe(1);
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await staysQuiet(world);
    await endMutation(world);
  });
});

describe.concurrent('the metadata of workloadMetadata', () => {
  test('is set, changed and removed, also while no operator runs, and restarts no pod', async ({ world }) => {
    const spec = release(await world.image('1.0'), { stages: oneStage });
    await world.apply({ ...spec, workloadMetadata: { labels: { team: 'shop', cost: '42' } } });
    await world.released('1.0');
    const kinds = [DEPLOYMENTS, BUDGETS];
    async function labels(): Promise<unknown[]> {
      const objects = (await Promise.all(kinds.map((kind) => world.list<KubeObject>(kind)))).flat();
      return objects.map(({ metadata: { labels: has } }) => ({ team: has?.['team'], cost: has?.['cost'] }));
    }
    expect(await labels()).toEqual(kinds.map(() => ({ team: 'shop', cost: '42' })));
    const pods = (await world.list(PODS)).map(({ metadata }) => metadata.uid);

    await world.operator.stop();
    await world.apply({ ...spec, workloadMetadata: { labels: { team: 'bank' } } });
    await world.operator.start();
    await world.until(async () => {
      expect(await labels()).toEqual(kinds.map(() => ({ team: 'bank', cost: undefined })));
    });
    await world.operator.stop();
    await world.apply(spec);
    await world.operator.start();
    await world.until(async () => {
      expect(await labels()).toEqual(kinds.map(() => ({ team: undefined, cost: undefined })));
    });
    await world.released('1.0');
    expect((await world.list(PODS)).map(({ metadata }) => metadata.uid)).toEqual(pods);
  });
});

describe.concurrent('an idle release', () => {
  test('gets no writes: released, with a standby, and held', async ({ world }) => {
    await releaseOne(world);
    await staysQuiet(world);
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await staysQuiet(world);
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await staysQuiet(world);
    await world.operator.restart();
    await staysQuiet(world);
  });

  test('gets no writes while it waits for an approval, or is stalled', async ({ world }) => {
    const manual = oneStage.map((stage) => ({ ...stage, approval: 'Manual' as const }));
    await world.apply(release(await world.image('1.0'), { stages: manual }));
    await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
    await staysQuiet(world);
    await world.apply(release(await world.image('1.0'), { stages: [{ name: 'production', pools: [{ name: 'x' }] }] }));
    await world.stalled('UnknownPool');
    await staysQuiet(world);
  });
});

describe.concurrent('the scale', () => {
  test('that a person set is left alone, and the next revision starts with it', async ({ world }) => {
    await releaseOne(world);
    await world.kubectl('scale', `deployment/${objectName('web', 'prod-a', 1)}`, '--replicas=4');
    await world.poolIs('prod-a', { replicas: 4, readyReplicas: 4 });
    await staysQuiet(world);
    await world.apply(release(await world.image('2.0-never-ready'), { stages: oneStage }));
    await world.until(async () => {
      expect((await deployment(world, objectName('web', 'prod-a', 2))).spec.replicas).toBe(4);
      expect((await world.pods()).filter(({ revision }) => revision === 2)).toHaveLength(4);
    });
    await world.behave(2, 'ready');
    await world.released('2.0');
  });

  test('that an autoscaler owns is left alone, over a new revision too', async ({ world }) => {
    const one = [{ name: 'production', pools: [pool('prod-a', 1)] }];
    await world.apply(worker(await world.image('1.0'), { stages: one }));
    await world.released('1.0');
    await world.applyAs('somebody', autoscalers, {
      metadata: { name: 'web' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: objectName('web', 'prod-a') },
        minReplicas: 3,
        maxReplicas: 5,
      },
    } as never);
    await world.poolIs('prod-a', { replicas: 3, readyReplicas: 3 });
    await world.apply(worker(await world.image('2.0'), { stages: one }));
    await world.released('2.0');
    expect((await deployment(world, objectName('web', 'prod-a'))).spec.replicas).toBe(3);
    expect((await world.pods()).map(({ revision }) => revision)).toEqual([2, 2, 2]);
  });
});
