import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { plan } from '../plan.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import { releaseStatus } from '../status/status.ts';
import { NOW } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';

/** Pool a serves revision 1 with 4 pods, and the edit that wants revision 2 asks for this size. */
function edited(to: number, second: FactWords = {}, pool: PoolWords = {}, more: Words = {}): Words {
  return {
    pools: { a: { replicas: to, recorded: to, size: 4, ...pool }, b: {} },
    revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: { sized: [4, to], ...second } } } },
    ...more,
  };
}

const ENTERED: FactWords = { entered: 1, clock: 1 };
const FAILED: FactWords = { entered: 9, failed: 1 };
const HELD: Words = { rollback: { against: 2, to: { a: 1, b: 1 } } };
const ROLLING: Words = { spec: { strategy: { type: 'RollingUpdate' } } };
const WAITING: Words = { paused: 'holidays' };
/** With RollingUpdate, the Deployment has the pods of revision 2. */
const IN_PLACE: PoolWords = { serves: 2 };

/** Revision 3 is wanted, and not recorded. */
function unrecorded(to: number, asked?: number): Words {
  return {
    pools: { a: { replicas: to, recorded: 4, size: 4, ...(asked !== undefined && { asked }) }, b: {} },
    wants: 3,
  };
}
const UNRECORDED = unrecorded(2);

/** The size of pool a, and the sizes that are written to its Deployments. */
function sizes(words: Words): [number | undefined, ...string[]] {
  const { view, actions } = plan(world(words), NOW);
  const writes = actions.flatMap((action) => {
    if (action.kind !== 'ApplyDeployment' || action.desired.metadata.labels?.['apprelease.dev/pool'] !== 'a') return [];
    return [`${action.desired.metadata.name} to ${action.desired.spec.replicas ?? 'what it has'}`];
  });
  return [view.pools[0]?.replicas, ...writes];
}

test.each<[what: string, words: Words, size: number, ...writes: string[]]>([
  ['smaller: what serves keeps its size', edited(2, ENTERED, { beside: { 2: 0 } }), 4],
  ['smaller: the new version starts with the new size', edited(2, ENTERED), 4, 'web-a-2 to 2'],
  ['smaller: after the switch it applies', edited(2, { ...GOOD }, { serves: 2, size: 2 }), 2],
  ['smaller: a version that failed changes nothing', edited(2, FAILED, { beside: { 2: 0 } }), 4],
  ['smaller: a version that is held back changes nothing', edited(2, {}, {}, HELD), 4],
  ['smaller: pods that somebody deleted come back with the size before', edited(2, {}, { size: 4 }, WAITING), 4],
  ['larger: it applies at once where the version enters', edited(6, ENTERED, { beside: { 2: 0 } }), 6, 'web-a-1 to 6'],
  ['larger: it waits with the version', edited(6, {}, {}, WAITING), 4],
  ['larger: a version that failed changes nothing', edited(6, FAILED, { beside: { 2: 0 } }), 4],
  ['larger: a version that is held back changes nothing', edited(6, {}, {}, HELD), 4],
  [
    'a later edit of replicas alone applies at once',
    edited(3, { ...ENTERED, sized: [4, 2] }, { beside: { 2: 0 } }),
    3,
    'web-a-1 to 3',
  ],
  ['in place, smaller: the size stays until all pods are new', edited(2, ENTERED, IN_PLACE, ROLLING), 4],
  [
    'in place, smaller: it applies once they are',
    edited(2, { ...ENTERED, healthySince: 0 }, IN_PLACE, ROLLING),
    2,
    'web-a to 2',
  ],
  ['in place, smaller: before the version enters', edited(2, {}, {}, { ...ROLLING, ...WAITING }), 4],
  ['not recorded yet: the size stays', UNRECORDED, 4],
  ['not recorded yet: a later edit of replicas alone applies at once', unrecorded(9, 2), 9, 'web-a-1 to 9'],
  ['not recorded yet: the size that came with it is noted', unrecorded(2, 2), 4],
  ['with an autoscaler', edited(2, {}, { spec: { autoscaling: { minReplicas: 1, maxReplicas: 9 } } }, WAITING), 4],
])('%s', (_what, words, ...expected) => {
  expect(sizes(words)).toEqual(expected);
});

test.each<[what: string, words: Words, said: string | undefined]>([
  [
    'a version that waits',
    edited(2, {}, {}, WAITING),
    '4 until version 2.0.0 (revision 2) serves here, then spec.replicas 2',
  ],
  [
    'a version that is not recorded',
    { pools: { a: { replicas: 2, recorded: 4, size: 4 } }, wants: 3 },
    '4 until the version of the spec serves here, then spec.replicas 2',
  ],
  ['nothing', edited(2, GOOD, { serves: 2, size: 2 }), undefined],
])('the status says that %s keeps the size', (_what, words, said) => {
  const { view } = plan(world(words), NOW);
  expect(releaseStatus(view, {}).pools?.[0]?.replicasReason).toBe(said);
});

/** The notes of sizes that the plan writes for pool a: revision → note, or nothing. */
function noted(words: Words): Record<string, PoolFacts['sized'] | 'none'> {
  const { actions } = plan(world(words), NOW);
  return Object.fromEntries(
    actions.flatMap((action) => {
      if (action.kind !== 'AnnotateRevision' && action.kind !== 'CreateRevision') return [];
      const facts = action.annotations[ANNOTATION.facts];
      const name = action.kind === 'CreateRevision' ? action.name : action.target.name;
      return facts === undefined ? [] : [[name, (JSON.parse(facts) as Facts).pools.a?.sized ?? 'none']];
    }),
  );
}

test.each<[what: string, words: Words, notes: object]>([
  [
    'a recorded revision that is wanted again',
    {
      pools: { a: { replicas: 2, recorded: 4, size: 4, serves: 2 } },
      wants: 1,
      revisions: { 1: { in: { b: GOOD } }, 2: { in: { a: GOOD, b: GOOD } } },
    },
    { 'web-1': { from: 4, to: 2 } },
  ],
  [
    'a size that a later edit changed alone',
    edited(3, { ...ENTERED, sized: [4, 2] }, { beside: { 2: 0 } }),
    { 'web-2': 'none' },
  ],
  ['a revision that serves', edited(2, { ...GOOD, sized: [4, 2] }, { serves: 2, size: 2 }), { 'web-2': 'none' }],
  ['a revision that does not serve yet', edited(2, { ...ENTERED }, { beside: { 2: 0 } }), {}],
])('what is noted for %s', (_what, words, notes) => {
  expect(noted(words)).toEqual(notes);
});

test('the sizes that come with a revision that is not recorded are noted in the ledger', () => {
  const written = (words: Words) =>
    plan(world(words), NOW).actions.flatMap((action) =>
      action.kind === 'AnnotateRevision' && action.annotations[ANNOTATION.askedSizes] !== undefined
        ? [JSON.parse(action.annotations[ANNOTATION.askedSizes] ?? '') as object]
        : [],
    );
  expect(written(UNRECORDED)).toEqual([{ input: expect.any(String) as string, sizes: { a: 2, b: 2 } }]);
  expect(written(unrecorded(2, 2))).toEqual([]);
  expect(written(unrecorded(4))).toEqual([]);
});
