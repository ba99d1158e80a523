// Existing objects are left alone, whoever owns their fields. Objects that a POST created are updated like applied ones.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { KubeObject, Live, Resource } from '../../src/kube/types.ts';
import { objectName } from '../../src/release/record/names.ts';
import type { World } from './harness.ts';
import { admin, exists, test } from './harness.ts';
import { oneStage, pool, release, template, worker } from './release-objects.ts';

/** An object of a foreign controller: created without apply, with almost no owned fields. */
function make(world: World, resource: Resource, object: object): Promise<Live<KubeObject>> {
  const { apiVersion, kind } = resource;
  const { namespace } = world;
  const { metadata } = object as { metadata: object };
  return admin.create(resource, { ...object, apiVersion, kind, metadata: { namespace, ...metadata } });
}

/** All fields except the status. */
function kept({ metadata: { uid, labels, annotations, ownerReferences }, ...object }: Live<KubeObject>): object {
  const { spec, data } = object as { spec?: unknown; data?: unknown };
  return { uid, labels, annotations, ownerReferences, spec, data };
}

interface Container {
  name: string;
}

describe.concurrent('a name that is in use', () => {
  test('stays unchanged if nobody owns its fields, also when the release is deleted', async ({ world }) => {
    const image = await world.image('1.0');
    const labels = { [LABEL.release]: 'web' };
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'theirs' };
    const theirs: [Resource, object][] = [
      // Like the Service of the API server itself, without a selector.
      [SERVICES, { metadata: { name: 'theirs' }, spec: { ports: [{ name: 'http', port: 80, targetPort: 'http' }] } }],
      [SERVICES, { metadata: { name: 'labelled', labels }, spec: { ports: [{ port: 80 }] } }],
      [AUTOSCALERS, { metadata: { name: 'web-c' }, spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 2 } }],
      [BUDGETS, { metadata: { name: 'web-c-2' }, spec: { selector: { matchLabels: { app: 'theirs' } } } }],
      [REVISIONS, { metadata: { name: 'web-1' }, revision: 1, data: {} }],
    ];
    const before = await Promise.all(theirs.map(([resource, object]) => make(world, resource, object)));
    const autoscaling = { minReplicas: 1, maxReplicas: 2 };
    const c = pool('c', 2, { autoscaling }, 'prod-a');
    const stages = [
      { name: 'production', pools: [c, pool('a', 1, { serviceName: 'theirs' }, 'prod-a')] },
      { name: 'rest', pools: [pool('b', 1, { serviceName: 'labelled' }, 'prod-b')] },
    ];
    await world.apply(release(image, { stages }));
    const { message } = await world.stalled('NameTaken');
    expect(message).toMatch(/Service (theirs|labelled) belongs to somebody else/);

    const names = release(image, { stages: [{ name: 'production', pools: [c] }] });
    await world.apply(names);
    await world.until(async () => {
      expect(await world.selected()).toMatchObject({ 'web-c': 2 });
    });
    expect((await world.stalled('NameTaken')).message).toMatch(
      /(HorizontalPodAutoscaler web-c|PodDisruptionBudget web-c-2)/,
    );
    world.excuse(/ deleted: Service web-c/);
    await world.remove(APP_RELEASES, 'web');
    await world.until(async () => {
      expect(await exists(world, SERVICES, 'web-c')).toBe(false);
    });
    const { namespace } = world;
    const after = await Promise.all(
      before.map(({ metadata }, index) =>
        admin.get(theirs[index]?.[0] as Resource, { namespace, name: metadata.name }),
      ),
    );
    expect(after.map(kept)).toEqual(before.map(kept));
  });
});

describe.concurrent('an object that a POST created', () => {
  test('loses a container, a port and annotations when the spec does', async ({ world }) => {
    const image = await world.image('1.0');
    const both = template(image, { 'example.com/note': 'x' });
    both.spec.containers.push({ name: 'sidecar', image });
    await world.apply(worker(image, { stages: oneStage, template: both }));
    await world.released('1.0');
    await world.apply(worker(image, { stages: oneStage, version: '1.1' }));
    await world.released('1.1');
    const deployment = await admin.get(DEPLOYMENTS, { namespace: world.namespace, name: objectName('web', 'prod-a') });
    const { metadata, spec } = deployment.spec.template as { metadata?: object; spec: { containers: Container[] } };
    expect(spec.containers.map(({ name }) => name)).toEqual(['web']);
    expect(metadata).not.toHaveProperty('annotations.example.com/note');

    const ports = [
      { name: 'http', port: 80, targetPort: 'http' },
      { name: 'more', port: 81, targetPort: 'http' },
    ];
    const annotations = { 'example.com/lb': 'internal' };
    const shop = { stages: oneStage, service: { ports, metadata: { annotations } } };
    await world.apply(release(image, shop), { name: 'shop' });
    await world.released('1.0', 'shop');
    await world.apply(release(image, { ...shop, service: { ports: ports.slice(0, 1) } }), { name: 'shop' });
    await world.until(async () => {
      const service = await admin.get(SERVICES, { namespace: world.namespace, name: 'shop-prod-a' });
      expect(service.spec.ports?.map(({ name }) => name)).toEqual(['http']);
      expect(service.metadata).not.toHaveProperty(['annotations', 'example.com/lb']);
    });
  });
});
