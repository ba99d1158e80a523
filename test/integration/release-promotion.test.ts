// A version goes from stage to stage after the previous stage has soaked and, if required, after an approval.
import { describe, expect } from 'vitest';
import { toCachedRevision, REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { parseRevision, poolFacts } from '../../src/release/record/revision.ts';
import type { World } from './harness.ts';
import { admin, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { pool, release } from './release-objects.ts';

function withSoak(soak: string, approval: 'Automatic' | 'Manual' = 'Automatic'): Spec['stages'] {
  return [
    { name: 'canary', soak, pools: [pool('canary-vms', 1)] },
    { name: 'production', approval, pools: [pool('prod-a', 1)] },
  ];
}

/** Version 1 in every pool. */
async function begin(world: World, stages: Spec['stages']): Promise<void> {
  const open = stages.map(({ approval: _approval, soak: _soak, ...stage }) => stage);
  await world.apply(release(await world.image('1.0'), { stages: open }));
  await world.released('1.0');
}

async function waitsFor(world: World, reason: string): Promise<void> {
  await world.until(async () => {
    await world.conditionIs('Ready', { status: 'False', reason });
    await world.conditionIs('Reconciling', { status: 'True', reason });
    await world.conditionIs('Available', { status: 'True' });
  });
}

async function factsOf(world: World, number: number, pool: string) {
  const object = await admin.get(REVISIONS, { namespace: world.namespace, name: `web-${number}` });
  const revision = parseRevision(toCachedRevision(object));
  if (!revision) throw new Error(`web-${number} is no revision`);
  return poolFacts(revision, pool);
}

async function enteredAt(world: World, number: number, pool: string): Promise<number> {
  return Date.parse((await factsOf(world, number, pool)).entered?.at ?? '');
}

/** The time from one pool being healthy with a revision to the entry into another pool, in milliseconds. */
async function soaked(world: World, number: number, from: string, to: string): Promise<number> {
  const { healthySince } = await factsOf(world, number, from);
  return (await enteredAt(world, number, to)) - Date.parse(healthySince ?? '');
}

describe.concurrent('the soak', () => {
  test('keeps the next stage waiting', async ({ world }) => {
    await begin(world, withSoak('2s'));
    await world.apply(release(await world.image('2.0'), { stages: withSoak('2s') }));
    await world.released('2.0');
    expect(await soaked(world, 2, 'canary-vms', 'prod-a')).toBeGreaterThanOrEqual(2000);
  });

  test('restarts when a pool of the stage becomes unready', async ({ world }) => {
    const stages = withSoak('10s');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.behave(2, 'unready', 'canary-vms');
    await world.until(() => {
      expect(world.operator.notices.map(({ reason }) => reason)).toContain('SoakRestarted');
    });
    expect(await world.selected()).toMatchObject({ 'web-prod-a': 1 });
    await world.behave(2, 'ready', 'canary-vms');
    await world.released('2.0');
    expect(await soaked(world, 2, 'canary-vms', 'prod-a')).toBeGreaterThanOrEqual(10_000);
    const promoted = world.operator.notices.filter(({ note }) => note === 'pool canary-vms serves revision 2 (2.0)');
    expect(promoted).toHaveLength(2);
  });

  test('continues over a restart of the operator', async ({ world }) => {
    const stages = withSoak('10s');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.operator.restart();
    await world.released('2.0');
    const promoted = world.operator.notices.filter(({ note }) => note === 'pool canary-vms serves revision 2 (2.0)');
    expect(promoted).toHaveLength(1);
    expect(await soaked(world, 2, 'canary-vms', 'prod-a')).toBeGreaterThanOrEqual(10_000);
  });

  test('continues under a leader whose clock is 2 h ahead, and the skew is told', async ({ world }) => {
    const stages = withSoak('10s');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    world.operator.setClockAhead(2 * 3_600_000);
    await world.operator.restart();
    await world.conditionIs('ClockSkewed', {
      status: 'True',
      message: expect.stringMatching(/7\d\d\d s ahead of/) as string,
    });
    await world.conditionIs('Ready', { reason: 'Soaking' });
    await world.released('2.0');
    expect(await soaked(world, 2, 'canary-vms', 'prod-a')).toBeGreaterThanOrEqual(10_000);
    expect(await enteredAt(world, 2, 'prod-a')).toBeLessThan(Date.now() + 2000);
  });

  test('is skipped if a promotion says so', async ({ world }) => {
    const stages = withSoak('1h');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.promote('now', { stage: 'production', skipSoak: true });
    await world.released('2.0');
    await world.promotionIs('now', 'Complete', 'True', 'StageEntered');
  });

  test('of a stage with no replicas proves nothing', async ({ world }) => {
    const stages: Spec['stages'] = [
      { name: 'canary', pools: [pool('canary-vms', 0)] },
      { name: 'production', pools: [pool('prod-a', 1)] },
    ];
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.conditionIs('Ready', { status: 'False', reason: 'ProvesNothing' });
    expect(await world.pods('prod-a')).toEqual([]);
    await world.apply(release(await world.image('1.0'), { stages: withSoak('100ms') }));
    await world.released('1.0');
  });
});

describe.concurrent('an approval', () => {
  test('admits the wanted revision, once', async ({ world }) => {
    const stages = withSoak('100ms', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'WaitingForApproval');
    await world.poolIs('prod-a', {
      waitingFor: expect.stringMatching(/ReleasePromotion must admit version 2\.0/) as string,
    });
    await world.promote('let-in', { stage: 'production', version: '2.0', requestedBy: 'admin' });
    await world.released('2.0');
    await world.promotionIs('let-in', 'Complete', 'True', 'StageEntered');
    await world.newestIs({ version: '2.0', by: 'admin', outcome: 'Good' });

    await world.apply(release(await world.image('3.0'), { stages }));
    await waitsFor(world, 'WaitingForApproval');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 3, 'web-prod-a': 2 });
  });

  test('that comes too early waits until the version may enter the stage', async ({ world }) => {
    const stages = withSoak('10s', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.promote('early', { stage: 'production' });
    await world.promotionIs('early', 'Complete', 'False', 'Soaking');
    expect(await world.selected()).toMatchObject({ 'web-prod-a': 1 });
    await world.released('2.0');
    await world.promotionIs('early', 'Complete', 'True');
  });

  test('of a version that was replaced is rejected', async ({ world }) => {
    const stages = withSoak('1h', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.promote('for-two', { stage: 'production' });
    await world.promotionIs('for-two', 'Accepted', 'True');
    await world.apply(release(await world.image('3.0'), { stages }));
    await world.promotionIs('for-two', 'Accepted', 'False', 'Superseded');
  });

  test('that matches nothing is rejected', async ({ world }) => {
    const stages = withSoak('1h', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    const wrong = [
      { spec: { stage: 'nowhere' }, reason: 'UnknownStage' },
      { spec: { stage: 'production', version: '9.9' }, reason: 'UnknownRevision' },
      { spec: { stage: 'production', revision: 7 }, reason: 'UnknownRevision' },
      { spec: { stage: 'canary' }, reason: 'AlreadyEntered' },
      { spec: { stage: 'production', version: '1.0' }, reason: 'Superseded' },
    ];
    for (const [index, { spec, reason }] of wrong.entries()) {
      await world.promote(`wrong-${index}`, spec);
      await world.promotionIs(`wrong-${index}`, 'Accepted', 'False', reason);
    }
    expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 1 });
  });

  test('that is given twice completes twice', async ({ world }) => {
    const stages = withSoak('1h', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.promote('one', { stage: 'production' });
    await world.promote('two', { stage: 'production' });
    await world.promotionIs('one', 'Accepted', 'True');
    await world.promotionIs('two', 'Accepted', 'True');
    await world.apply(release(await world.image('2.0'), { stages: withSoak('0s', 'Manual') }));
    await world.released('2.0');
    await world.promotionIs('one', 'Complete', 'True', 'StageEntered');
    await world.promotionIs('two', 'Complete', 'True', 'StageEntered');
  });

  test('that a rollback made void stays void', async ({ world }) => {
    const stages = withSoak('1h', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.promote('waiting', { stage: 'production' });
    await world.promotionIs('waiting', 'Accepted', 'True');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.promotionIs('waiting', 'Accepted', 'False', 'RolledBack');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 1, 'web-prod-a': 1 });
  });
});

describe.concurrent('a revert in the spec', () => {
  test('goes back at once, without gates', async ({ world }) => {
    const stages = withSoak('1h', 'Manual');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages: withSoak('0s') }));
    await world.released('2.0');
    await world.apply(release(await world.image('1.0'), { stages }));
    expect(await world.released('1.0')).toMatchObject({ revision: 1 });
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
  });

  test('in the middle of a rollout affects only the pools that had moved', async ({ world }) => {
    const stages = withSoak('1h');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'Soaking');
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.released('1.0');
    expect(world.timeline('web-canary-vms')).toEqual([1, 2, 1]);
    expect(world.timeline('web-prod-a')).toEqual([1]);
  });

  test('to a version that was rolled back before needs an approval for every stage', async ({ world }) => {
    const stages = withSoak('0s');
    await begin(world, stages);
    await world.apply(release(await world.image('2.0'), { stages }));
    await world.released('2.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    await world.apply(release(await world.image('3.0'), { stages }));
    await world.released('3.0');
    await world.apply(release(await world.image('2.0'), { stages }));
    await waitsFor(world, 'WaitingForApproval');
    expect(await world.selected()).toEqual({ 'web-canary-vms': 3, 'web-prod-a': 3 });
    await world.promote('canary-again', { stage: 'canary' });
    await world.until(async () => {
      expect(await world.selected()).toEqual({ 'web-canary-vms': 2, 'web-prod-a': 3 });
    });
    await world.promote('production-again', { stage: 'production' });
    await world.released('2.0');
  });
});
