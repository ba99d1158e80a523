// The status of a release: rollback readiness, events, conditions for tools.
import type { TestContext } from 'vitest';
import { describe, expect } from 'vitest';
import type { Resource } from '../../src/kube/types.ts';
import { addNodes } from '../cluster/nodes.ts';
import type { World } from './harness.ts';
import { cluster, test } from './harness.ts';
import type { PoolSpec, Spec } from './release-objects.ts';
import { oneStage, pool, release } from './release-objects.ts';

interface EventObject {
  metadata: { name: string };
  type: string;
  reason: string;
  note: string;
  regarding: { kind: string; name: string };
  series?: object;
}

const EVENTS = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
} as Resource<EventObject & { apiVersion?: string }>;

/** The events of the release as in kubectl, unordered. */
async function events(world: World): Promise<string[]> {
  const all = await world.list(EVENTS);
  return all
    .filter(({ regarding }) => regarding.kind === 'AppRelease')
    .map(({ reason, note }) => `${reason}: ${note}`)
    .toSorted();
}

function waitFor(world: World, object: string, condition: string): Promise<string> {
  return world.kubectl('wait', object, `--for=condition=${condition}`, '--timeout=60s');
}

/** VMs without images. A kubelet reports at most 50, and the VMs of the standard pools have pulled many. */
async function ownVms(
  { namespace }: World,
  onTestFinished: TestContext['onTestFinished'],
): Promise<Pick<PoolSpec, 'nodeSelector' | 'tolerations'>> {
  const labels = { 'example.com/vms': namespace };
  const names = await addNodes(cluster, { name: namespace, count: 2, labels });
  onTestFinished(async () => {
    await cluster.kubectl(['delete', 'node', ...names, '--wait=false']);
  });
  return { nodeSelector: labels, tolerations: [] };
}

test('says what refuses the pods long before the deadline', async ({ world }) => {
  await world.kubectl('label', 'namespace', world.namespace, 'pod-security.kubernetes.io/enforce=restricted');
  await world.apply(release(await world.image('1.0'), { stages: oneStage, progressDeadlineSeconds: 3600 }));
  const message = expect.stringMatching(
    /0 of 2 pods are ready; .*FailedCreate: .*violates PodSecurity "restricted/,
  ) as string;
  await world.conditionIs('Ready', { status: 'False', reason: 'Progressing', message });
  await world.conditionIs('Stalled', { status: 'False' });
  await world.poolIs('prod-a', { waitingFor: message });
});

describe.concurrent('rollback readiness', () => {
  test('is absent at first, then Warm, and Cached without the standby', async ({ world, onTestFinished }) => {
    const stages: Spec['stages'] = [
      { name: 'production', pools: [pool('prod-a', 2, await ownVms(world, onTestFinished))] },
    ];
    const changes = { stages, rollback: { warmFor: '10s', drain: '100ms' } };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    expect(await world.pool('prod-a')).not.toHaveProperty('rollback');
    await world.apply(release(await world.image('2.0'), changes));
    await world.poolIs('prod-a', { version: '2.0', rollback: { readiness: 'Warm', version: '1.0', revision: 1 } });
    await world.poolIs('prod-a', {
      rollback: {
        readiness: 'Cached',
        version: '1.0',
        message: 'no pod runs any more: a rollback starts containers from cached images',
      },
    });
  });

  test('is not Warm while the standby is smaller than the serving Deployment', async ({ world, onTestFinished }) => {
    const changes: Partial<Spec> = {
      stages: [{ name: 'production', pools: [pool('prod-a', 3, await ownVms(world, onTestFinished))] }],
      rollback: { warmFor: '5m', warmReplicas: 1, drain: '100ms' },
    };
    await world.apply(release(await world.image('1.0'), changes));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.released('2.0');
    await world.poolIs('prod-a', {
      rollback: {
        readiness: 'Cached',
        message: '1 of 3 pods are ready: a rollback starts containers from cached images',
      },
    });
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
  });

  test('is Impossible behind a barrier, with the reason', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    const rollback = { warmFor: '5m', drain: '100ms', barrier: true };
    await world.apply(release(await world.image('2.0'), { stages: oneStage, rollback }));
    await world.released('2.0');
    const message = 'version 2.0 is a barrier: a rollback behind it needs spec.force';
    await world.poolIs('prod-a', { rollback: { readiness: 'Impossible', version: '1.0', message } });
  });

  test('says if a cold rollback needs the registry', async ({ world }) => {
    const changes = { stages: oneStage, rollback: { warmFor: '0s', drain: '100ms' } };
    const first = release(await world.image('1.0'), changes);
    const [container] = first.template.spec.containers;
    const containers = [{ name: 'web', image: '', ...container, imagePullPolicy: 'Always' }];
    const spec = { ...first.template.spec, containers };
    await world.apply({ ...first, template: { ...first.template, spec } });
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), changes));
    await world.poolIs('prod-a', {
      rollback: {
        readiness: 'Cold',
        message: expect.stringMatching(/asks the registry: imagePullPolicy is Always/) as string,
      },
    });
  });
});

describe.concurrent('events', () => {
  test('report every step of a release once', async ({ world, images }) => {
    const stages: Spec['stages'] = [
      { name: 'canary', pools: [pool('canary-vms', 1)] },
      { name: 'production', approval: 'Manual', pools: [pool('prod-a', 1)] },
    ];
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.promote('first', { stage: 'production' });
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages }));
    await world.promote('second', { stage: 'production' });
    await world.released('2.0');
    await world.rollback('back', { reason: 'too many errors' });
    await world.rollbackIs('back', 'Complete', 'True');
    await world.operator.restart();
    await world.apply(release(await world.image('3.0'), { stages }));
    await world.promotionIs('second', 'Complete', 'True');
    await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
    await world.operator.stop();
    const [one, two, three] = await Promise.all(['1.0', '2.0', '3.0'].map((tag) => images.push(tag)));
    expect(await events(world)).toEqual(
      [
        `RevisionRecorded: revision 1 pins version 1.0: ${one?.pinned ?? ''}`,
        'PoolEntered: revision 1 (1.0) enters pool canary-vms of stage canary',
        'PoolPromoted: pool canary-vms serves revision 1 (1.0)',
        'PromotionAccepted: promotion first: admits revision 1 to stage production',
        'PoolEntered: revision 1 (1.0) enters pool prod-a of stage production',
        'PoolPromoted: pool prod-a serves revision 1 (1.0)',
        `RevisionRecorded: revision 2 pins version 2.0: ${two?.pinned ?? ''}`,
        'PoolEntered: revision 2 (2.0) enters pool canary-vms of stage canary',
        'Switched: switched Service web-canary-vms of canary-vms to revision 2 (2.0)',
        'PoolPromoted: pool canary-vms serves revision 2 (2.0)',
        'PromotionAccepted: promotion second: admits revision 2 to stage production',
        'PoolEntered: revision 2 (2.0) enters pool prod-a of stage production',
        'Switched: switched Service web-prod-a of prod-a to revision 2 (2.0)',
        'PoolPromoted: pool prod-a serves revision 2 (2.0)',
        'RollbackAccepted: rollback back takes back canary-vms 2 → 1, prod-a 2 → 1: too many errors',
        'Switched: switched Service web-canary-vms of canary-vms to revision 1 (1.0)',
        'Switched: switched Service web-prod-a of prod-a to revision 1 (1.0)',
        'RollbackComplete: rollback back: canary-vms, prod-a serve their targets',
        `RevisionRecorded: revision 3 pins version 3.0: ${three?.pinned ?? ''}`,
        'HoldEnded: rollback back no longer holds: revision 3 (3.0) is wanted now',
        'PoolEntered: revision 3 (3.0) enters pool canary-vms of stage canary',
        'Switched: switched Service web-canary-vms of canary-vms to revision 3 (3.0)',
        'PoolPromoted: pool canary-vms serves revision 3 (3.0)',
      ].toSorted(),
    );
  });

  test('do not repeat a continuing state', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: [{ name: 'production', pools: [{ name: 'x' }] }] }));
    await world.stalled('UnknownPool');
    for (let count = 0; count < 3; count += 1) {
      await world.merge(
        { apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', plural: 'appreleases', namespaced: true },
        'web',
        { metadata: { annotations: { 'example.com/touched': String(count) } } },
      );
      await world.stalled('UnknownPool');
    }
    await world.operator.stop();
    const told = await events(world);
    expect(new Set(told).size).toBe(told.length);
  });
});

describe.concurrent('conditions', () => {
  test('can be waited for with kubectl: Ready, Available, Complete', async ({ world }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    expect(await waitFor(world, 'apprelease/web', 'Ready')).toMatch(/condition met/);
    expect(await waitFor(world, 'apprelease/web', 'Available')).toMatch(/condition met/);
    const manual = oneStage.map((stage) => ({ ...stage, approval: 'Manual' as const }));
    await world.apply(release(await world.image('2.0'), { stages: manual }));
    await world.promote('let-in', { stage: 'production' });
    expect(await waitFor(world, 'releasepromotion/let-in', 'Complete')).toMatch(/condition met/);
    expect(await waitFor(world, 'apprelease/web', 'Ready')).toMatch(/condition met/);
    await world.rollback('back');
    expect(await waitFor(world, 'releaserollback/back', 'Complete')).toMatch(/condition met/);
    expect(await waitFor(world, 'apprelease/web', 'RolledBack')).toMatch(/condition met/);
    expect(await waitFor(world, 'apprelease/web', 'Ready=False')).toMatch(/condition met/);
  });

  test('of a version just applied differ from those of the previous one', async ({ world }) => {
    const manual = oneStage.map((stage) => ({ ...stage, approval: 'Manual' as const }));
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages: manual }));
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    const { conditions = [], observedGeneration } = await world.status();
    expect(new Set(conditions.map((condition) => condition.observedGeneration))).toEqual(new Set([observedGeneration]));
    await world.conditionIs('Reconciling', { status: 'True', reason: 'WaitingForApproval' });
    await world.conditionIs('Stalled', { status: 'False' });
    await world.conditionIs('Available', { status: 'True' });
  });

  test('say when nothing serves', async ({ world }) => {
    await world.apply(release(await world.image('1.0-never-ready'), { stages: oneStage }));
    await world.conditionIs('Available', { status: 'False', reason: 'PoolsUnavailable' });
    await world.conditionIs('Ready', { status: 'False', reason: 'Progressing' });
    await world.behave(1, 'ready');
    await world.conditionIs('Available', { status: 'True' });
    await world.released('1.0');
    await world.behave(1, 'unready');
    await world.conditionIs('Available', { status: 'False', reason: 'PoolsUnavailable' });
  });
});
