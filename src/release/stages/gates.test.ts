import { describe, expect, test } from 'vitest';
import type { Room } from '../../scheduling/demand.ts';
import type { Node } from '../../scheduling/objects.ts';
import { placedPod, vm } from '../../scheduling/testing.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import type { Observed } from '../state/observed.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { ago, meta, NOW } from '../testing.ts';
import type { FactWords, PromotionWords, Words } from '../world-testing.ts';
import { GOOD, revisionNumbered, stageNamed, viewOf } from '../world-testing.ts';
import type { Wait } from '../state/view.ts';
import { judgeGate } from './gates.ts';

/** The reason why the newest revision does not enter a stage. */
function waitFor(stage: string, words: Words): Wait | undefined {
  const seen = viewOf(words);
  const newest = Math.max(...seen.revisions.map(({ number }) => number));
  return judgeGate(seen, stageNamed(seen, stage), revisionNumbered(seen, newest));
}

type Row = [what: string, words: Words, wait?: Partial<Wait>, stage?: string];

/** Rows without a stage test production, the second stage. */
function showEach(rows: readonly Row[]): void {
  test.each(rows)('%s', (_what, words, wait, stage = 'production') => {
    const found = waitFor(stage, words);
    if (wait) expect(found).toMatchObject(wait);
    else expect(found).toBeUndefined();
  });
}

/** Revision 2 serves in the canary and has soaked there. `more`: facts of pools in production. */
function afterCanary(words: Words = {}, facts: FactWords = {}, more: Record<string, FactWords> = {}): Words {
  return {
    ...words,
    pools: { a: { serves: 2 }, ...words.pools },
    revisions: { 2: { in: { a: { entered: 10, healthySince: 5, ...facts }, ...more } }, ...words.revisions },
  };
}

function production(more: NonNullable<Words['stages']>[string]): Words {
  return { stages: { production: more } };
}

describe('pause', () => {
  showEach([
    ['admits a revision if the release is not paused', afterCanary()],
    [
      'blocks all revisions, with the reason of the pause',
      afterCanary({ paused: 'holidays' }),
      { reason: 'Paused', message: 'paused: holidays' },
    ],
    ['blocks the first stage too', { paused: 'holidays' }, { reason: 'Paused' }, 'canary'],
    [
      'can be set in spec.paused',
      afterCanary({ spec: { paused: true } }),
      { reason: 'Paused', message: 'paused: spec.paused is true' },
    ],
  ]);
});

describe('a rollback of the whole release', () => {
  const withNewPool = { ...production({ pools: ['b', 'c'] }), pools: { c: { serves: 0 } } };
  const to = { a: 1, b: 1 };
  const wayOut = (revision: number) =>
    `: release another version with other images, or create a ReleasePromotion that names revision ${revision}`;
  const kept = {
    reason: 'HeldByRollback' as const,
    message: `rollback back blocks revision 2 in every pool${wayOut(2)}`,
  };
  showEach([
    ['blocks the revision in a pool that was added later', { ...withNewPool, rollback: { against: 2, to } }, kept],
    [
      'blocks a later revision with the same images',
      { ...withNewPool, rollback: { against: 2, to }, revisions: { 3: { imagesOf: 2 } } },
      { ...kept, message: `rollback back blocks revision 3 in every pool${wayOut(3)}` },
    ],
    [
      'does not block another revision',
      { ...withNewPool, rollback: { against: 2, to }, revisions: { 3: {} } },
      { reason: 'HeldByRollback', message: 'pool a of stage canary is held by rollback back' },
    ],
    [
      'does not block pools that it does not name',
      { ...withNewPool, rollback: { against: 2, to: { b: 1 }, names: true } },
      { reason: 'StageBefore' },
    ],
    ['blocks nothing after it has ended', afterCanary({ ...withNewPool, rollback: { against: 2, to, ended: true } })],
    [
      'does not count for pools that it holds',
      { rollback: { against: 2, to } },
      { message: 'pool a of stage canary is held by rollback back' },
    ],
  ]);
});

describe('a failure', () => {
  const inCanary = afterCanary({}, { failed: 3 });
  showEach([
    [
      'in any pool blocks the next stage',
      inCanary,
      { reason: 'Failed', message: 'revision 2 failed in pool a: crashes' },
    ],
    ['blocks its own stage', inCanary, { reason: 'Failed' }, 'canary'],
    [
      'does not block its own stage after an approval',
      { ...inCanary, promotion: { stage: 'canary' } },
      undefined,
      'canary',
    ],
    [
      'blocks its own stage if the approval is older than the failure',
      { ...inCanary, promotion: { stage: 'canary', made: 4 } },
      { reason: 'Failed' },
      'canary',
    ],
    [
      'blocks its own stage if the approval was first seen before the failure',
      { ...inCanary, promotion: { stage: 'canary', status: { attempt: 1 } } },
      { reason: 'Failed' },
      'canary',
    ],
    [
      'that a clock recorded that was 2 h ahead does not block its own stage after an approval',
      { ...afterCanary({}, { failed: -120 }), promotion: { stage: 'canary', status: { attempt: 2 } } },
      undefined,
      'canary',
    ],
    [
      'that a clock recorded that was 2 h ahead blocks its own stage if the approval was first seen before',
      { ...afterCanary({}, { failed: -120 }), promotion: { stage: 'canary', status: { attempt: 1 } } },
      { reason: 'Failed' },
      'canary',
    ],
    [
      'blocks the next stage even with an approval of that stage',
      { ...inCanary, promotion: { stage: 'production' } },
      { reason: 'Failed' },
    ],
    [
      'of an earlier attempt does not count, but the revision needs an approval',
      afterCanary({}, { attempt: 2, failed: 8, failedAttempt: 1 }),
      { reason: 'WaitingForApproval' },
    ],
  ]);
});

describe('a name that belongs to somebody else', () => {
  const nameConflicts = new Map([['Service/web-b', 'Service web-b belongs to somebody else']]);
  const taken: Words = { pools: { b: { serves: 0 } }, memory: { nameConflicts } };
  showEach([
    [
      'blocks the stage',
      afterCanary(taken),
      { reason: 'NameTaken', message: 'Service web-b belongs to somebody else' },
    ],
    ['does not block another stage', taken, undefined, 'canary'],
    ['does not block the stage if the Service of the release exists', afterCanary({ memory: { nameConflicts } })],
  ]);
});

describe('the stage before', () => {
  const held = { rollback: { against: 2, to: { a: 1 }, names: true as const } };
  const two = { stages: { canary: { pools: ['a', 'c'] } } };
  const behind = {
    reason: 'StageBefore' as const,
    message: 'pool a of stage canary is not healthy with revision 2 yet',
  };
  showEach([
    ['admits the revision if its pools serve it', afterCanary()],
    ['does not exist for the first stage', {}, undefined, 'canary'],
    [
      'proves nothing without replicas',
      { pools: { a: { replicas: 0 } } },
      {
        reason: 'ProvesNothing',
        message: 'stage canary has no replicas, which proves nothing: scale it up or remove it',
      },
    ],
    ['ignores pools without replicas', afterCanary({ ...two, pools: { c: { replicas: 0, serves: 1 } } })],
    [
      'blocks if a pool is held',
      held,
      { reason: 'HeldByRollback', message: 'pool a of stage canary is held by rollback back' },
    ],
    ['blocks if the revision has not entered it', {}, behind],
    ['blocks if the revision does not serve yet', { revisions: { 2: { in: { a: { entered: 5 } } } } }, behind],
    ['blocks if a pod is not ready', afterCanary({ pools: { a: { serves: 2, ready: 1 } } }), behind],
    [
      'blocks if its Service selects another revision',
      afterCanary({ pools: { a: { serves: 1, beside: { 2: 2 } } } }),
      behind,
    ],
    [
      'blocks if one of two pools does not serve the revision',
      afterCanary(two),
      { message: 'pool c of stage canary is not healthy with revision 2 yet' },
    ],
  ]);
});

describe('the soak of the stage before', () => {
  const until = NOW + 30_000;
  const soaking = { reason: 'Soaking' as const, until, message: `stage canary soaks until ${ago(-0.5)}` };
  const two: Words = { stages: { canary: { pools: ['a', 'c'] } }, pools: { a: { serves: 2 }, c: { serves: 2 } } };
  function both(a: number, c: number): Words {
    const entered = 10;
    return { ...two, revisions: { 2: { in: { a: { entered, healthySince: a }, c: { entered, healthySince: c } } } } };
  }
  showEach([
    ['admits the revision after one minute', afterCanary({}, { healthySince: 1 })],
    ['blocks before one minute', afterCanary({}, { healthySince: 0.5 }), soaking],
    ['blocks one millisecond before the end', afterCanary({}, { healthySince: 1 - 1 / 60_000 }), { until: NOW + 1 }],
    [
      'begins when the health is recorded',
      { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { entered: 10 } } } } },
      { reason: 'Soaking', message: 'stage canary begins its soak' },
    ],
    ['counts from the pool that became healthy last', both(5, 0.5), soaking],
    ['ends when all pools have soaked', both(5, 1)],
    ['can be 0s', afterCanary({ stages: { canary: { soak: '0s' } } }, { healthySince: 0 })],
    [
      'is skipped by an approval with skipSoak',
      afterCanary({ promotion: { stage: 'production', skipSoak: true } }, { healthySince: 0.5 }),
    ],
    [
      'is not skipped by an approval without skipSoak',
      afterCanary({ promotion: { stage: 'production' } }, { healthySince: 0.5 }),
      soaking,
    ],
    [
      'is the only gate that skipSoak skips: the stage must be healthy',
      { promotion: { stage: 'production', skipSoak: true } },
      { reason: 'StageBefore' },
    ],
  ]);
  test('has no end time before it begins', () => {
    const words: Words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { entered: 10 } } } } };
    expect(waitFor('production', words)).not.toHaveProperty('until');
  });
});

describe('an approval', () => {
  const manual = afterCanary(production({ approval: 'Manual' }));
  const ask = 'a ReleasePromotion must admit version 2.0.0 (revision 2) to stage production';
  const waits = { reason: 'WaitingForApproval' as const, message: ask };
  const byHand = `${ask} (the revision failed or was rolled back before)`;
  function asked(more: Partial<PromotionWords>): Words {
    return { ...manual, promotion: { stage: 'production', ...more } };
  }
  function partly(c: FactWords): Words {
    const words = afterCanary({ stages: { production: { approval: 'Manual', pools: ['b', 'c'] } } }, {}, { c });
    return { ...words, revisions: { 2: { ...words.revisions?.[2], approved: ['production'] } } };
  }
  showEach([
    ['is not needed if the stage is automatic', afterCanary()],
    ['is needed if the stage is manual', manual, waits],
    ['admits the revision', asked({})],
    ['of another revision does not count', asked({ of: 1 }), waits],
    ['of another stage does not count', asked({ stage: 'canary' }), waits],
    ['for an earlier release of the same name does not count', asked({ status: { releaseUID: 'before' } }), waits],
    ['that is not accepted does not count', asked({ status: { conditions: [] } }), waits],
    ['that is complete does not count', asked({ status: { completedAt: ago(1) } }), waits],
    ['that is being deleted does not count', asked({ deleted: true }), waits],
    ['that is recorded admits the revision to the rest of its stage', partly({ entered: 3 })],
    ['that is recorded admits a revision again that gave its room back', partly({ gaveBack: 3 })],
    ['that is recorded does not count after the revision has left its stage', partly({}), waits],
    [
      'is needed for a revision that was rolled back, with the reason in the message',
      afterCanary({}, { good: 6, rolledBack: 4 }),
      { reason: 'WaitingForApproval', message: byHand },
    ],
    [
      'is needed on a later attempt',
      {
        pools: { a: { serves: 2 } },
        revisions: { 2: { attempt: 2, in: { a: { entered: 9, attempt: 2, healthySince: 5 } } } },
      },
      { message: byHand },
    ],
    [
      'is needed for a revision that inherits a bad mark',
      { revisions: { 2: { in: { a: { failed: 9 } } }, 3: { imagesOf: 2 } } },
      {
        reason: 'WaitingForApproval',
        message:
          'a ReleasePromotion must admit version 3.0.0 (revision 3) to stage canary ' +
          '(revision 2 (2.0.0), which has the same images, failed in pool a)',
      },
      'canary',
    ],
    [
      'is not needed for a revision that inherits no bad mark',
      { revisions: { 2: { in: { a: { failed: 9 } } }, 3: {} } },
      undefined,
      'canary',
    ],
  ]);
});

/** VMs of pool b with their pods. */
function vmsOfB(nodes: readonly Node[], podsOnEach = 0): Partial<Observed> {
  const rooms: Room[] = nodes.map((node) => ({
    node,
    pods: Array.from({ length: podsOnEach }, (_, index) => placedPod(node.metadata.name, `other-${index}`)),
  }));
  return { vms: nodes, rooms: ({ pool }) => (pool === 'b' ? rooms : []) };
}

const labels = { pool: 'b' };

describe('prepull', () => {
  const image = `web@sha256:${'2'.padStart(64, '0')}`;
  const bare = vm('vm-1', { labels });
  const ready = vm('vm-2', { labels, images: [image] });
  function pulling(vms: readonly Node[], b: FactWords = {}, prepull = true): Words {
    return afterCanary({ stages: { production: { prepull } }, more: { vms } }, {}, { b });
  }
  const waits = {
    reason: 'PullingImages' as const,
    message: 'pool b: 1 of 2 VMs have the images of revision 2',
    until: NOW + 10 * 60_000,
  };
  showEach([
    ['waits for the VMs without the images', pulling([bare, ready]), waits],
    ['waits no longer than the deadline', pulling([bare, ready], { pulling: 4 }), { until: NOW + 6 * 60_000 }],
    ['gives up at the deadline', pulling([bare, ready], { pulling: 10 })],
    [
      'waits until the end of the pull is recorded',
      pulling([ready]),
      { message: expect.stringContaining('1 of 1 VMs have') as string },
    ],
    ['admits the revision after the pull, even if a new VM has no images', pulling([bare], { pulled: 3 })],
    ['admits the revision if the pool has no VM', pulling([])],
    ['admits the revision if the stage has no prepull', pulling([bare], {}, false)],
  ]);
});

describe('capacity', () => {
  const free = vm('vm-1', { labels, allocatable: { pods: 2 } });
  const room = { labels, allocatable: { pods: 2 } };
  const drained = vm('vm-2', { ...room, unschedulable: true, markedAt: ago(4) });
  const down = vm('vm-2', { ...room, ready: false, readySince: ago(4) });
  const until = NOW + 6 * 60_000;
  const left = 'and its other VMs have room for 1 of 2 new pods; spec.capacity: Proceed skips this check';
  function on(more: Partial<Observed>, capacity = 'Wait'): Words {
    return afterCanary({ spec: { capacity }, more });
  }
  showEach([
    ['admits the revision if the VMs have room', on(vmsOfB([free]))],
    [
      'blocks for ten minutes if a VM is being drained and too little room is left',
      on(vmsOfB([free, drained], 1)),
      { reason: 'VMsUnavailable', message: `pool b: VM vm-2 is being drained, ${left}`, until },
    ],
    [
      'blocks for ten minutes if a VM is not ready and too little room is left',
      on(vmsOfB([free, down], 1)),
      { reason: 'VMsUnavailable', message: `pool b: VM vm-2 is not ready, ${left}`, until },
    ],
    [
      'blocks for ten minutes if a VM came back with another kernel and too little room is left on the others',
      on(vmsOfB([free, vm('vm-2', { ...room, info: { kernelVersion: '6.12.1' }, readySince: ago(4) })], 1)),
      { reason: 'VMsUnavailable', message: expect.stringContaining(left) as string, until },
    ],
    ['admits the revision if the other VMs have room', on(vmsOfB([free, drained]))],
    [
      'blocks if the pods that leave a VM need the room on the other VMs',
      on(vmsOfB([free, vm('node', { labels, unschedulable: true, markedAt: ago(4) })])),
      {
        reason: 'VMsUnavailable',
        message: expect.stringMatching(/^pool b: VM node is .*room for 0 of 2 new/) as string,
      },
    ],
    [
      'does not blame a VM that was left cordoned for a lack of room',
      on(vmsOfB([free, { ...drained, markedAt: ago(10) }], 1)),
      { reason: 'NoCapacity' },
    ],
    [
      'does not blame a VM that was never ready for a lack of room',
      on(vmsOfB([free, { ...down, neverReady: true }], 1)),
      { reason: 'NoCapacity' },
    ],
    [
      'blocks without room',
      on(vmsOfB([free], 1)),
      { reason: 'NoCapacity', message: expect.stringMatching(/pool b.*1 of 2.*spec\.capacity: Proceed/) as string },
    ],
    ['admits the revision with capacity Proceed', on(vmsOfB([drained], 2), 'Proceed')],
    ['admits the revision if the pods on the VMs are not known', on({})],
    [
      'is not checked for pools that have the revision',
      {
        ...afterCanary({ more: vmsOfB([drained]), pools: { b: { serves: 2 } } }, {}, { b: GOOD }),
      },
    ],
  ]);
});

describe('the first closed gate gives the reason', () => {
  const nameConflicts = new Map([['Service/web-b', 'Service web-b belongs to somebody else']]);
  const healthy = { entered: 10, healthySince: 5 };
  const free = vm('vm-1', { labels, allocatable: { pods: 2 } });
  const has = { ...free, images: [`web@sha256:${'2'.padStart(64, '0')}`] };
  /** All gates block revision 2 in production. */
  const worst: Words = {
    stages: { canary: { soak: '1h' }, production: { approval: 'Manual', prepull: true } },
    pools: { a: { replicas: 0 }, b: { serves: 0 } },
    revisions: { 2: { in: { a: { entered: 5, failed: 3 } } } },
    paused: 'holidays',
    rollback: { against: 2, to: { a: 1 } },
    memory: { nameConflicts },
    more: vmsOfB([free, vm('vm-2', { labels, unschedulable: true, markedAt: ago(1) })], 2),
  };
  /** The corrections one after the other, and the reason after each. */
  const steps: [what: string, better: Words, reason?: string, message?: string][] = [
    ['with all of them closed', {}, 'Paused'],
    ['without the pause', { paused: undefined }, 'HeldByRollback', 'rollback back blocks'],
    ['without the rollback', { rollback: undefined }, 'Failed'],
    ['without the failure', { revisions: { 2: {} } }, 'NameTaken'],
    ['without the name conflict', { memory: {} }, 'ProvesNothing'],
    [
      'with replicas in the canary and a hold on the canary',
      { pools: { a: {}, b: { serves: 0 } }, rollback: { against: 2, to: { a: 1 }, names: true } },
      'HeldByRollback',
      'pool a of stage canary is held',
    ],
    ['without the hold on the canary', { rollback: undefined }, 'StageBefore'],
    [
      'with the revision in the canary',
      { pools: { a: { serves: 2 }, b: { serves: 0 } }, revisions: { 2: { in: { a: healthy } } } },
      'Soaking',
    ],
    ['after the soak', { stages: { ...worst.stages, canary: { soak: '1m' } } }, 'WaitingForApproval'],
    ['with an approval', { promotion: { stage: 'production' } }, 'PullingImages'],
    ['with the images', { revisions: { 2: { in: { a: healthy, b: { pulled: 1 } } } } }, 'VMsUnavailable'],
    ['without the VM that is drained', { more: vmsOfB([has], 2) }, 'NoCapacity'],
    ['with room', { more: vmsOfB([has]) }],
  ];
  test.each(steps.map(([what], index) => [what, index] as const))('%s', (_what, index) => {
    const done = steps.slice(0, index + 1);
    const words = done.reduce<Words>((sum, [, better]) => ({ ...sum, ...better }), worst);
    const [, , reason, message = ''] = done.at(-1) ?? [];
    const found = waitFor('production', words);
    expect(found?.reason).toBe(reason);
    expect(found?.message ?? '').toContain(message);
  });
});

test('a view computes a gate once', () => {
  const seen = viewOf(afterCanary({}, { healthySince: 0.5 }));
  const stage = stageNamed(seen, 'production');
  expect(seen.gate(stage)).toBe(seen.gate(stage));
  expect(seen.gate(stage)).toEqual(judgeGate(seen, stage, revisionNumbered(seen, 2)));
});

describe('a VMPool in maintenance', () => {
  const pool = (name: string, more: Partial<VmPool>) => ({
    metadata: meta(name),
    spec: { maintenance: { reason: 'kernel patch', minRemaining: '50%', force: false } },
    ...more,
  });
  function inMaintenance(name: string, more: Partial<VmPool> = {}): Words {
    return afterCanary({ more: { vmPools: [pool(name, more)] } });
  }
  const annotations = { [ANNOTATION.maintenance]: 'new disks' };
  showEach([
    [
      'blocks a version',
      inMaintenance('b'),
      { reason: 'Maintenance', message: 'VMPool b is in maintenance: kernel patch' },
    ],
    [
      'by annotation blocks a version',
      inMaintenance('b', { metadata: meta('b', { annotations }), spec: {} }),
      { reason: 'Maintenance', message: 'VMPool b is in maintenance: new disks' },
    ],
    ['of another pool blocks nothing', inMaintenance('a')],
    ['that has ended blocks nothing', inMaintenance('b', { spec: {} })],
  ]);
});
