// Every VM of a stage has the images of a version before the version enters.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { NODES } from '../../src/controller/kinds/nodes.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { World } from './harness.ts';
import { admin, cluster, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { release } from './release-objects.ts';

/** The pull pods: VM → images. */
async function pulls(world: World): Promise<Record<string, string[]>> {
  const pods = (await world.list(PODS)).filter(({ metadata }) => labelsOf(metadata)[LABEL.pull] !== undefined);
  return Object.fromEntries(
    pods.map(({ spec }) => [
      spec?.nodeName ?? '',
      (spec as { containers: { image: string }[] }).containers.map(({ image }) => image),
    ]),
  );
}

function labelsOf(metadata: object): Record<string, string> {
  return (metadata as { labels?: Record<string, string> }).labels ?? {};
}

async function imagesOn(node: string): Promise<string[]> {
  const { status } = await admin.get(NODES, { name: node });
  return (status?.images ?? []).flatMap(({ names }) => names ?? []);
}

/** A pool with three VMs of its own, in a stage with prepull; one pod. */
async function makeSpec(world: World, tag: string, changes: Partial<Spec> = {}): Promise<Spec> {
  const labels = { 'example.com/vms': world.namespace };
  const pools = [{ name: 'prod-a', replicas: 1, nodeSelector: labels }];
  return release(await world.image(tag), {
    stages: [{ name: 'production', prepull: true, pools }],
    rollback: { warmFor: '0s', drain: '100ms' },
    ...changes,
  });
}

function makeVms(world: World): Promise<string[]> {
  return addNodes(cluster, { name: world.namespace, count: 3, labels: { 'example.com/vms': world.namespace } });
}

async function removeVms(names: readonly string[]): Promise<void> {
  await cluster.kubectl(['delete', 'node', ...names, '--wait=false']);
}

describe.concurrent('a stage with prepull', () => {
  test('is entered when every VM has the images, and the pull pods are removed', async ({ world, onTestFinished }) => {
    const names = await makeVms(world);
    onTestFinished(() => removeVms(names));
    await world.apply(await makeSpec(world, '1.0'));
    await world.released('1.0');
    await world.until(async () => {
      const images = await Promise.all(names.map(imagesOn));
      expect(images.map((all) => all.filter((image) => image.includes('@sha256:')).length)).toEqual([1, 1, 1]);
    });
    await world.until(async () => {
      expect(await pulls(world)).toEqual({});
    });
    expect(world.operator.notices.map(({ note }) => note)).toContain(
      'all 3 VMs of pool prod-a have the images of revision 1',
    );
    const created = world.operator.writes.map(({ verb, resource }) => `${verb} ${resource}`);
    expect(created.indexOf('create pods')).toBeLessThan(created.indexOf('create deployments'));
    expect(created.filter((write) => write === 'create pods')).toHaveLength(3);

    // Then any VM can start the pods of the previous version at once.
    await world.apply(await makeSpec(world, '2.0'));
    await world.released('2.0');
    await world.poolIs('prod-a', { rollback: expect.objectContaining({ readiness: 'Cached' }) as never });
  });

  test('reports its progress, and waits at most progressDeadlineSeconds', async ({ world, onTestFinished }) => {
    const names = await makeVms(world);
    onTestFinished(() => removeVms(names));
    const quick = { progressDeadlineSeconds: 20 };
    await world.apply(await makeSpec(world, '1.0', quick));
    await world.released('1.0');
    await world.apply(await makeSpec(world, '2.0-missing', quick));
    const { message } = await world.conditionIs('Ready', {
      status: 'False',
      reason: 'PullingImages',
      message: expect.stringMatching(/not found|Back-off pulling/) as string,
    });
    expect(message).toMatch(/^pool prod-a: 0 of 3 VMs have the images of revision 2; VM release-.*-\d: /);
    await world.conditionIs('Stalled', { status: 'False' });
    expect(Object.keys(await pulls(world)).toSorted()).toEqual(names.toSorted());
    // Then the version enters anyway, and its fault is a failure like any other.
    await world.rollbackIs('web-r2-1', 'Complete', 'True');
    await world.until(async () => {
      expect(await pulls(world)).toEqual({});
    });
  });
});

test('a pull pod meets the Pod Security Standard "restricted"', async ({ world, onTestFinished }) => {
  const names = await makeVms(world);
  onTestFinished(() => removeVms(names));
  const label = 'pod-security.kubernetes.io/enforce=restricted';
  await cluster.kubectl(['label', 'namespace', world.namespace, label]);
  const spec = await makeSpec(world, '1.0');
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const containers = spec.template.spec.containers.map((one) => ({ ...one, securityContext: restricted }));
  await world.apply({
    ...spec,
    template: { ...spec.template, spec: { ...spec.template.spec, securityContext, containers } },
  });
  await world.released('1.0');
  expect(world.operator.notices.map(({ reason }) => reason)).toContain('ImagesPulled');
});
