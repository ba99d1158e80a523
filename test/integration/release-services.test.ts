// The Services of pools: their fields, shared ones, adopted ones, names that belong to somebody else.
import { describe, expect } from 'vitest';
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { objectName } from '../../src/release/record/names.ts';
import type { World } from './harness.ts';
import { admin, endpointsOf, exists, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release, worker } from './release-objects.ts';

interface ServiceView {
  type: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  selector: Record<string, string>;
  ports: { name?: string; port: number; targetPort?: number | string }[];
  sessionAffinity: string;
  clusterIP: string;
}

async function service(world: World, name: string): Promise<ServiceView> {
  const { metadata, spec } = await admin.get(SERVICES, { namespace: world.namespace, name });
  return { ...(metadata as object), ...(spec as object) } as ServiceView;
}

/** A user's Deployment and Service, with another type and other ports. */
async function runOldWay(world: World, image: string, annotations: Record<string, string> = {}): Promise<void> {
  const labels = { app: 'old' };
  const tolerations = [{ operator: 'Exists' }];
  const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image }], tolerations } };
  await world.applyAs('somebody', DEPLOYMENTS, {
    metadata: { name: 'old' },
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  } as never);
  await world.applyAs('somebody', SERVICES, {
    metadata: { name: 'web-prod-a', annotations },
    spec: { type: 'NodePort', selector: labels, ports: [{ name: 'old', port: 8000 }] },
  } as never);
  await world.until(async () => {
    expect(await endpointsOf(world, 'web-prod-a')).toHaveLength(2);
  });
}

describe.concurrent('the Service of a pool', () => {
  test('gets type and metadata at once, without a new revision', async ({ world }) => {
    const spec = release(await world.image('1.0'), { stages: oneStage });
    await world.apply(spec);
    await world.released('1.0');
    const before = await service(world, 'web-prod-a');
    await world.apply({
      ...spec,
      service: {
        type: 'NodePort',
        metadata: { labels: { team: 'shop' }, annotations: { 'example.com/lb': 'internal' } },
        sessionAffinity: 'ClientIP',
        ports: [{ port: 80, targetPort: 'http' }],
      },
    });
    await world.until(async () => {
      const now = await service(world, 'web-prod-a');
      expect(now).toMatchObject({ type: 'NodePort', sessionAffinity: 'ClientIP', clusterIP: before.clusterIP });
      expect(now.labels).toMatchObject({ team: 'shop' });
      expect(now.annotations).toMatchObject({ 'example.com/lb': 'internal' });
    });
    expect(await world.released('1.0')).toMatchObject({ revision: 1 });

    await world.apply(spec);
    await world.until(async () => {
      const now = await service(world, 'web-prod-a');
      expect(now.type).toBe('ClusterIP');
      expect(now.labels).not.toHaveProperty('team');
      expect(now.annotations).not.toHaveProperty('example.com/lb');
    });
  });

  test('switches selector and ports in one write', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(
      release(await world.image('2.0'), { stages: oneStage, service: { ports: [{ port: 81, targetPort: 'http' }] } }),
    );
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    const states = world.selections('web-prod-a').map(({ track, ports }) => `${track ?? ''} ${ports.join(',')}`);
    expect(states.filter((state, index) => state !== states[index - 1])).toEqual([
      'web-prod-a-1 80',
      'web-prod-a-2 81',
      'web-prod-a-1 80',
    ]);
  });

  test('that pools of a stage share switches once, when all of them are ready', async ({ world }) => {
    const shared = (b: object): Spec['stages'] => [
      {
        name: 'production',
        pools: [pool('prod-a', 1, { serviceName: 'shop' }), pool('prod-b', 1, { serviceName: 'shop', ...b })],
      },
    ];
    await world.apply(release(await world.image('1.0'), { stages: shared({}) }));
    await world.released('1.0');
    expect(await world.selected()).toEqual({ shop: 1 });
    await world.until(async () => {
      expect(await endpointsOf(world, 'shop')).toHaveLength(2);
    });

    const late = { template: { metadata: { annotations: { 'sim.apprelease.dev/behaviour': 'unready' } } } };
    await world.apply(release(await world.image('2.0'), { stages: shared(late) }));
    const waiting = await world.until(async () => {
      const pods = (await world.pods()).filter(({ revision }) => revision === 2);
      expect(pods.map(({ pool, ready }) => `${pool} ${ready}`).toSorted()).toEqual(['prod-a true', 'prod-b false']);
      expect(await world.pool('prod-a')).toMatchObject({ revision: 1, wantedRevision: 2 });
      return pods.find(({ pool }) => pool === 'prod-b');
    });
    expect(await world.selected()).toEqual({ shop: 1 });
    const ready = { metadata: { annotations: { 'sim.apprelease.dev/behaviour': 'ready' } } };
    await world.merge({ apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }, waiting?.name ?? '', ready);
    await world.released('2.0');
    expect(world.timeline('shop')).toEqual([1, 2]);
    await world.until(async () => {
      const served = await endpointsOf(world, 'shop');
      const now = (await world.pods()).filter(({ revision }) => revision === 2).map(({ name }) => name);
      expect(served).toEqual(now.toSorted());
    });
  });

  test('that was deleted by hand is restored with the working revision', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    world.excuse(/ deleted: Service web-prod-a went from 2/);
    await world.remove(SERVICES, 'web-prod-a');
    await world.until(async () => {
      expect(await exists(world, SERVICES, 'web-prod-a')).toBe(true);
      expect(await endpointsOf(world, 'web-prod-a')).toHaveLength(2);
    });
    await world.released('1.0');
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });
});

describe.concurrent('a name that belongs to somebody else', () => {
  test('is left alone with NameTaken, until it is free', async ({ world }) => {
    const image = await world.image('1.0');
    await runOldWay(world, image);
    const before = await service(world, 'web-prod-a');
    await world.apply(release(image, { stages: oneStage }));
    const { message } = await world.stalled('NameTaken');
    expect(message).toMatch(/Service web-prod-a belongs to somebody else.*apprelease\.dev\/adopt/);
    expect(await service(world, 'web-prod-a')).toEqual(before);
    world.excuse(/ deleted: Service web-prod-a/);
    await world.remove(SERVICES, 'web-prod-a');
    await world.released('1.0');
    await world.until(async () => {
      expect(await endpointsOf(world, 'web-prod-a')).toHaveLength(2);
    });
  });

  test('is adopted if the Service has the annotation: only its selector, and when pods are ready', async ({
    world,
  }) => {
    const image = await world.image('1.0');
    await runOldWay(world, image);
    const before = await service(world, 'web-prod-a');
    await world.apply(release(image, { stages: oneStage }));
    await world.stalled('NameTaken');
    await world.merge(SERVICES, 'web-prod-a', { metadata: { annotations: { [ANNOTATION.adopt]: 'true' } } });
    await world.released('1.0');
    const now = await service(world, 'web-prod-a');
    expect(now.selector).toEqual({ [LABEL.track]: 'web-prod-a-1', [LABEL.release]: 'web' });
    expect({ ...now, type: now.type, ports: now.ports }).toMatchObject({
      type: before.type,
      ports: before.ports,
      clusterIP: before.clusterIP,
    });
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    expect(await service(world, 'web-prod-a')).toMatchObject({ ports: before.ports, type: 'NodePort' });
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect((await service(world, 'web-prod-a')).selector).toEqual({
      [LABEL.track]: 'web-prod-a-1',
      [LABEL.release]: 'web',
    });
  });

  test('adopted from the start never loses an endpoint', async ({ world }) => {
    const image = await world.image('1.0');
    await runOldWay(world, image, { [ANNOTATION.adopt]: 'true' });
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    const ours = (await world.pods('prod-a')).map(({ name }) => name).toSorted();
    await world.until(async () => {
      expect(await endpointsOf(world, 'web-prod-a')).toEqual(ours);
    });
  });

  test('of which a manager puts the selector back again and again names the manager, and leads to our pods', async ({
    world,
  }) => {
    const image = await world.image('1.0');
    await runOldWay(world, image, { [ANNOTATION.adopt]: 'true' });
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    const ours = { [LABEL.track]: 'web-prod-a-1', [LABEL.release]: 'web' };
    // The writes of the manager.
    world.excuse(/Service web-prod-a/);
    // Like the self-heal of Argo CD, whose Git has the selector.
    const inGit = { spec: { type: 'NodePort', selector: { app: 'old' }, ports: [{ name: 'old', port: 8000 }] } };
    await world.until(async () => {
      const { selector } = await service(world, 'web-prod-a');
      if (selector[LABEL.track] !== undefined)
        await world.applyAs('argocd-controller', SERVICES, { metadata: { name: 'web-prod-a' }, ...inGit });
      expect(await world.condition('Contested')).toMatchObject({ status: 'True', reason: 'FieldsContested' });
    });
    await world.conditionIs('Contested', {
      message: expect.stringContaining('argocd-controller keeps changing Service/web-prod-a') as string,
    });
    await world.until(async () => {
      expect((await service(world, 'web-prod-a')).selector).toEqual(ours);
    });
    await world.conditionIs('Available', { status: 'True' });
    const notes = world.operator.notices.filter(({ reason }) => reason === 'Contested').map(({ note }) => note);
    expect([...new Set(notes)]).toEqual([expect.stringContaining('argocd-controller') as string]);
    expect(world.operator.notices.filter(({ reason }) => reason === 'Switched')).toHaveLength(1);
  });

  test('whose selector helm upgrade puts back once is put right at once', async ({ world }) => {
    const image = await world.image('1.0');
    await runOldWay(world, image, { [ANNOTATION.adopt]: 'true' });
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    world.excuse(/Service web-prod-a/);
    const selector = { app: 'old', [LABEL.track]: null, [LABEL.release]: null };
    await world.merge(SERVICES, 'web-prod-a', { spec: { selector } }, 'helm');
    await world.until(async () => {
      expect((await service(world, 'web-prod-a')).selector).toEqual({
        [LABEL.track]: 'web-prod-a-1',
        [LABEL.release]: 'web',
      });
    });
    await world.conditionIs('Contested', { status: 'False' });
    expect(world.operator.notices).toContainEqual(
      expect.objectContaining({ reason: 'DriftPutBack', note: expect.stringContaining('helm') as string }),
    );
  });

  test('two AppReleases want one Service: the second is stalled, the first untouched', async ({ world }) => {
    const first = release(await world.image('1.0'), { stages: oneStage });
    await world.apply(first);
    await world.released('1.0');
    const before = await service(world, 'web-prod-a');
    const stages = [{ name: 'production', pools: [pool('prod-b', 1, { serviceName: 'web-prod-a' })] }];
    await world.apply(release(await world.image('2.0'), { stages }), { name: 'other' });
    const { message } = await world.stalled('NameTaken', 'other');
    expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual([objectName('web', 'prod-a', 1)]);
    expect(message).toMatch(/Service web-prod-a belongs to AppRelease web: .*another serviceName/);
    expect(await service(world, 'web-prod-a')).toEqual(before);
    const own = [{ name: 'production', pools: [pool('prod-b', 1)] }];
    await world.apply(release(await world.image('2.0'), { stages: own }), { name: 'other' });
    await world.released('2.0', 'other');
    expect(await world.selected()).toEqual({ 'web-prod-a': 1, 'other-prod-b': 1 });
    await world.released('1.0');
  });

  test('of a Deployment is left alone too', async ({ world }) => {
    const image = await world.image('1.0');
    const labels = { app: 'old' };
    const name = objectName('web', 'prod-a');
    const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } };
    const old = {
      metadata: { name },
      spec: { replicas: 0, selector: { matchLabels: labels }, template },
    };
    await world.applyAs('somebody', DEPLOYMENTS, old);
    await world.apply(worker(image, { stages: oneStage }));
    const { message } = await world.stalled('NameTaken');
    expect(message).toContain(`Deployment ${name} belongs to somebody else`);
    const { spec } = await admin.get(DEPLOYMENTS, { namespace: world.namespace, name });
    expect(spec.selector.matchLabels).toEqual(labels);
    await world.remove(DEPLOYMENTS, name);
    // The operator retries after a refusal.
    await world.until(async () => {
      expect(await world.condition('Ready')).toMatchObject({ status: 'True' });
    }, 80_000);
    await world.released('1.0');
  });

  test('of a deleted release is free for the next release of that name', async ({ world }) => {
    const image = await world.image('1.0');
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    world.excuse(/deleted: Service web-prod-a/);
    await world.remove(APP_RELEASES, 'web');
    await world.apply(release(image, { stages: oneStage }));
    await world.released('1.0');
    const { metadata } = await admin.get(APP_RELEASES, { namespace: world.namespace, name: 'web' });
    await world.until(async () => {
      const owned = [...(await world.deployments()), ...(await world.list(SERVICES))].map(({ metadata: own }) => own);
      for (const { ownerReferences = [] } of owned as { ownerReferences?: { uid: string }[] }[])
        expect(ownerReferences.map(({ uid }) => uid)).toEqual([metadata.uid]);
    });
  });
});
