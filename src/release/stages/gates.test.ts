import { describe, expect, test } from 'vitest';
import type { Room } from '../../scheduling/demand.ts';
import type { Node } from '../../scheduling/objects.ts';
import { placedPod, vm } from '../../scheduling/testing.ts';
import type { Observed } from '../state/observed.ts';
import { ago, NOW } from '../testing.ts';
import type { FactWords, PromotionWords, Words } from '../world-testing.ts';
import { GOOD, revisionNumbered, stageNamed, viewOf } from '../world-testing.ts';
import type { Wait } from '../state/view.ts';
import { judgeGate } from './gates.ts';

/** What keeps the newest revision out of a stage. */
function waitFor(stage: string, words: Words): Wait | undefined {
  const seen = viewOf(words);
  const newest = Math.max(...seen.revisions.map(({ number }) => number));
  return judgeGate(seen, stageNamed(seen, stage), revisionNumbered(seen, newest));
}

type Row = [what: string, words: Words, wait?: Partial<Wait>, stage?: string];

/** By default rows ask for production, the second stage. */
function showEach(rows: readonly Row[]): void {
  test.each(rows)('%s', (_what, words, wait, stage = 'production') => {
    const found = waitFor(stage, words);
    if (wait) expect(found).toMatchObject(wait);
    else expect(found).toBeUndefined();
  });
}

/** Revision 2 serves in the canary, and has soaked there; `more` is of production. */
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
    ['a release that is not paused admits a revision', afterCanary()],
    [
      'a paused release admits nothing, and says why',
      afterCanary({ paused: 'holidays' }),
      { reason: 'Paused', message: 'paused: holidays' },
    ],
    ['not to the first stage either', { paused: 'holidays' }, { reason: 'Paused' }, 'canary'],
    [
      'spec.paused is as good',
      afterCanary({ spec: { paused: true } }),
      { reason: 'Paused', message: 'paused: spec.paused is true' },
    ],
  ]);
});

describe('a rollback of the whole release', () => {
  const withNewPool = { ...production({ pools: ['b', 'c'] }), pools: { c: { serves: 0 } } };
  const to = { a: 1, b: 1 };
  const kept = {
    reason: 'HeldByRollback' as const,
    message: 'rollback back keeps revision 2 out of every pool',
  };
  showEach([
    ['keeps the revision out of a pool that was added since', { ...withNewPool, rollback: { against: 2, to } }, kept],
    [
      'keeps a later revision out that has the same images',
      { ...withNewPool, rollback: { against: 2, to }, revisions: { 3: { imagesOf: 2 } } },
      { ...kept, message: 'rollback back keeps revision 3 out of every pool' },
    ],
    [
      'keeps no other revision out by this gate',
      { ...withNewPool, rollback: { against: 2, to }, revisions: { 3: {} } },
      { reason: 'HeldByRollback', message: 'pool a of the stage before is held by back' },
    ],
    [
      'says nothing where it names its pools',
      { ...withNewPool, rollback: { against: 2, to: { b: 1 }, names: true } },
      { reason: 'StageBefore' },
    ],
    ['says nothing once it has ended', afterCanary({ ...withNewPool, rollback: { against: 2, to, ended: true } })],
    [
      'leaves the pools that it holds to the hold itself',
      { rollback: { against: 2, to } },
      { message: 'pool a of the stage before is held by back' },
    ],
  ]);
});

describe('a failure', () => {
  const inCanary = afterCanary({}, { failed: 3 });
  showEach([
    [
      'in any pool keeps the revision out of the next stage',
      inCanary,
      { reason: 'Failed', message: 'revision 2 failed in pool a: crashes' },
    ],
    ['keeps it out of its own stage', inCanary, { reason: 'Failed' }, 'canary'],
    [
      'lets it into its own stage with an approval',
      { ...inCanary, promotion: { stage: 'canary' } },
      undefined,
      'canary',
    ],
    [
      'not with an approval from before',
      { ...inCanary, promotion: { stage: 'canary', made: 4 } },
      { reason: 'Failed' },
      'canary',
    ],
    [
      'not with an approval of another stage',
      { ...inCanary, promotion: { stage: 'production' } },
      { reason: 'Failed' },
    ],
    [
      'of an earlier attempt is none: an approval is waited for',
      afterCanary({}, { attempt: 2, failed: 8, failedAttempt: 1 }),
      { reason: 'WaitingForApproval' },
    ],
  ]);
});

describe('a name', () => {
  const nameConflicts = new Map([['Service/web-b', 'Service web-b belongs to somebody else']]);
  const taken: Words = { pools: { b: { serves: 0 } }, memory: { nameConflicts } };
  showEach([
    [
      'that somebody else has keeps the stage shut',
      afterCanary(taken),
      { reason: 'NameTaken', message: 'Service web-b belongs to somebody else' },
    ],
    ['of another stage does not', taken, undefined, 'canary'],
    ['that was taken before the Service was made does not', afterCanary({ memory: { nameConflicts } })],
  ]);
});

describe('the stage before', () => {
  const held = { rollback: { against: 2, to: { a: 1 }, names: true as const } };
  const two = { stages: { canary: { pools: ['a', 'c'] } } };
  const behind = { reason: 'StageBefore' as const, message: 'pool a of stage canary does not run it yet' };
  showEach([
    ['lets in where its pools serve the revision', afterCanary()],
    ['is not asked for the first stage', {}, undefined, 'canary'],
    [
      'proves nothing without replicas',
      { pools: { a: { replicas: 0 } } },
      {
        reason: 'ProvesNothing',
        message: 'stage canary has no replicas, which proves nothing: scale it up or remove it',
      },
    ],
    ['counts its pools with replicas alone', afterCanary({ ...two, pools: { c: { replicas: 0, serves: 1 } } })],
    [
      'is shut where a pool is held',
      held,
      { reason: 'HeldByRollback', message: 'pool a of the stage before is held by back' },
    ],
    ['is missing where nothing was let in', {}, behind],
    [
      'is missing where what was let in does not serve yet',
      { revisions: { 2: { in: { a: { entered: 5 } } } } },
      behind,
    ],
    ['is missing where a pod is not ready', afterCanary({ pools: { a: { serves: 2, ready: 1 } } }), behind],
    [
      'is missing where its Service leads elsewhere',
      afterCanary({ pools: { a: { serves: 1, beside: { 2: 2 } } } }),
      behind,
    ],
    ['needs all of its pools', afterCanary(two), { message: 'pool c of stage canary does not run it yet' }],
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
    ['lets in at the minute', afterCanary({}, { healthySince: 1 })],
    ['keeps out until then', afterCanary({}, { healthySince: 0.5 }), soaking],
    ['keeps out one millisecond before', afterCanary({}, { healthySince: 1 - 1 / 60_000 }), { until: NOW + 1 }],
    [
      'begins once its health is recorded',
      { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { entered: 10 } } } } },
      { reason: 'Soaking', message: 'stage canary begins its soak' },
    ],
    ['is that of the pool that was healthy last', both(5, 0.5), soaking],
    ['is over when all pools have soaked', both(5, 1)],
    ['is not there where the stage has none', afterCanary({ stages: { canary: { soak: '0s' } } }, { healthySince: 0 })],
    [
      'is passed over by an approval that skips it',
      afterCanary({ promotion: { stage: 'production', skipSoak: true } }, { healthySince: 0.5 }),
    ],
    [
      'is not passed over by another approval',
      afterCanary({ promotion: { stage: 'production' } }, { healthySince: 0.5 }),
      soaking,
    ],
    [
      'is all that is passed over: the stage must be healthy',
      { promotion: { stage: 'production', skipSoak: true } },
      { reason: 'StageBefore' },
    ],
  ]);
  test('says no time where it has not begun', () => {
    const words: Words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { entered: 10 } } } } };
    expect(waitFor('production', words)).not.toHaveProperty('until');
  });
});

describe('an approval', () => {
  const manual = afterCanary(production({ approval: 'Manual' }));
  const ask = 'a ReleasePromotion must let version 2.0.0 (revision 2) into stage production';
  const waits = { reason: 'WaitingForApproval' as const, message: ask };
  const byHand = `${ask} (it was taken back or failed before)`;
  function asked(more: Partial<PromotionWords>): Words {
    return { ...manual, promotion: { stage: 'production', ...more } };
  }
  function partly(c: FactWords): Words {
    const words = afterCanary({ stages: { production: { approval: 'Manual', pools: ['b', 'c'] } } }, {}, { c });
    return { ...words, revisions: { 2: { ...words.revisions?.[2], approved: ['production'] } } };
  }
  showEach([
    ['is not needed where the stage is automatic', afterCanary()],
    ['is waited for where the stage is manual', manual, waits],
    ['lets in', asked({})],
    ['of another revision does not', asked({ of: 1 }), waits],
    ['of another stage does not', asked({ stage: 'canary' }), waits],
    ['for a release of the same name before does not', asked({ status: { releaseUID: 'before' } }), waits],
    ['that is not accepted does not', asked({ status: { conditions: [] } }), waits],
    ['that is complete does not', asked({ status: { completedAt: ago(1) } }), waits],
    ['that is being deleted does not', asked({ deleted: true }), waits],
    ['that was spent lets in the rest of its stage', partly({ entered: 3 })],
    ['that was spent lets in again what gave its room back', partly({ gaveBack: 3 })],
    ['that was spent is void once the revision has left its stage', partly({}), waits],
    [
      'is needed for what was taken back, and the message says so',
      afterCanary({}, { good: 6, rolledBack: 4 }),
      { reason: 'WaitingForApproval', message: byHand },
    ],
    [
      'is needed on a further attempt',
      {
        pools: { a: { serves: 2 } },
        revisions: { 2: { attempt: 2, in: { a: { entered: 9, attempt: 2, healthySince: 5 } } } },
      },
      { message: byHand },
    ],
    [
      'is needed for the heir of a mark',
      { revisions: { 2: { in: { a: { failed: 9 } } }, 3: { imagesOf: 2 } } },
      {
        reason: 'WaitingForApproval',
        message:
          'a ReleasePromotion must let version 3.0.0 (revision 3) into stage canary ' +
          '(revision 2 (2.0.0), which has the same images, failed in pool a)',
      },
      'canary',
    ],
    [
      'is not needed where nothing is shared',
      { revisions: { 2: { in: { a: { failed: 9 } } }, 3: {} } },
      undefined,
      'canary',
    ],
  ]);
});

/** VMs of pool b, with all of their pods. */
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
      'waits until it is recorded that all VMs have them',
      pulling([ready]),
      { message: expect.stringContaining('1 of 1 VMs have') as string },
    ],
    ['lets in once all were pulled, whatever VM comes then', pulling([bare], { pulled: 3 })],
    ['lets in where the pool has no VM', pulling([])],
    ['lets in where the stage has none', pulling([bare], {}, false)],
  ]);
});

describe('the VMs', () => {
  const free = vm('vm-1', { labels, allocatable: { pods: 2 } });
  const drained = vm('vm-2', { labels, unschedulable: true });
  const wayOut = 'spec.capacity: Proceed enters all the same';
  function on(more: Partial<Observed>, capacity = 'Wait'): Words {
    return afterCanary({ spec: { capacity }, more });
  }
  showEach([
    ['let in where they have room', on(vmsOfB([free]))],
    [
      'keep out while one is drained',
      on(vmsOfB([free, drained])),
      { reason: 'VMsUnavailable', message: `pool b: VM vm-2 is being drained; ${wayOut}` },
    ],
    [
      'keep out for ten minutes while one is down',
      on(vmsOfB([free, vm('vm-2', { labels, ready: false, readySince: ago(4) })])),
      { reason: 'VMsUnavailable', message: `pool b: VM vm-2 is not ready; ${wayOut}`, until: NOW + 6 * 60_000 },
    ],
    [
      'keep out without room',
      on(vmsOfB([free], 1)),
      { reason: 'NoCapacity', message: expect.stringMatching(/pool b.*1 of 2.*spec\.capacity: Proceed/) as string },
    ],
    ['let in with capacity Proceed', on(vmsOfB([drained], 2), 'Proceed')],
    ['let in where nobody sees them', on({})],
    [
      'are not asked for pools that have the revision',
      {
        ...afterCanary({ more: vmsOfB([drained]), pools: { b: { serves: 2 } } }, {}, { b: GOOD }),
      },
    ],
  ]);
});

describe('of several gates the first speaks', () => {
  const nameConflicts = new Map([['Service/web-b', 'Service web-b belongs to somebody else']]);
  const healthy = { entered: 10, healthySince: 5 };
  const free = vm('vm-1', { labels, allocatable: { pods: 2 } });
  const has = { ...free, images: [`web@sha256:${'2'.padStart(64, '0')}`] };
  /** Everything keeps revision 2 out of production. */
  const worst: Words = {
    stages: { canary: { soak: '1h' }, production: { approval: 'Manual', prepull: true } },
    pools: { a: { replicas: 0 }, b: { serves: 0 } },
    revisions: { 2: { in: { a: { entered: 5, failed: 3 } } } },
    paused: 'holidays',
    rollback: { against: 2, to: { a: 1 } },
    memory: { nameConflicts },
    more: vmsOfB([vm('vm-1', { labels }), vm('vm-2', { labels, unschedulable: true })], 2),
  };
  /** What is put right, one after the other, and what speaks then. */
  const steps: [what: string, better: Words, reason?: string, message?: string][] = [
    ['all of it', {}, 'Paused'],
    ['without the pause', { paused: undefined }, 'HeldByRollback', 'rollback back keeps'],
    ['without the rollback', { rollback: undefined }, 'Failed'],
    ['without the failure', { revisions: { 2: {} } }, 'NameTaken'],
    ['without the taken name', { memory: {} }, 'ProvesNothing'],
    [
      'with replicas in the canary, which a rollback holds',
      { pools: { a: {}, b: { serves: 0 } }, rollback: { against: 2, to: { a: 1 }, names: true } },
      'HeldByRollback',
      'pool a of the stage before',
    ],
    ['without that rollback', { rollback: undefined }, 'StageBefore'],
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

test('a gate is judged once for a view', () => {
  const seen = viewOf(afterCanary({}, { healthySince: 0.5 }));
  const stage = stageNamed(seen, 'production');
  expect(seen.gate(stage)).toBe(seen.gate(stage));
  expect(seen.gate(stage)).toEqual(judgeGate(seen, stage, revisionNumbered(seen, 2)));
});
