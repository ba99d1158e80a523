import { describe, expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import type { Budget } from '../record/kube-objects.ts';
import { objectName } from '../record/names.ts';
import { meta, rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { makeBudget, reconcileBudgets } from './disruption-budget.ts';

/** A budget that is there: its name, and the Deployment whose pods it selects. */
type There = readonly [name: string, workload: string];

/** What is done to the budgets of pool a; pool b has its own. */
function budgetActions(words: Words, there: readonly There[]): string[] {
  const seen = rollout(world(words));
  const budgets = [...there.map((one) => ['a', ...one] as const), ['b', 'web-b-1', 'web-b-1'] as const].map(
    ([pool, name, workload]): Budget => {
      const { metadata, spec } = makeBudget(seen, { name: workload, pool }, name);
      return { metadata: meta(name, metadata), spec };
    },
  );
  return reconcileBudgets(rollout({ ...world(words), budgets })).map((action) => {
    if (action.kind === 'DeleteBudget') return `remove ${action.target.name}`;
    if (action.kind !== 'ApplyBudget') return action.kind;
    const { metadata, spec } = action.desired;
    const selected = spec.selector?.matchLabels?.[LABEL.workload] ?? '';
    return `${action.force ? 'move' : 'make'} ${metadata.name} for ${selected}`;
  });
}

/** Revision 2 was let into pool a, where 1 serves. */
const coming: Words = {
  pools: { a: { beside: { 2: 1 } } },
  revisions: { 2: { in: { a: { entered: 5, clock: 5 } } } },
};
/** Revision 2 serves in pool a; 1 stands by. */
const switched: Words = {
  pools: { a: { serves: 2, beside: { 1: 2 } } },
  revisions: { 2: { in: { a: GOOD } } },
};
/** A rollback has brought pool a back from revision 2. */
const back: Words = {
  pools: { a: { beside: { 2: 2 } } },
  revisions: { 2: { in: { a: GOOD } } },
  rollback: { against: 2, to: { a: 1 }, names: true },
};
/** Revision 2 is let in again. */
const again = coming;

describe('the budgets of a pool', () => {
  test.each<[string, Words, readonly There[], string[]]>([
    ['there is one for what serves', {}, [], ['make web-a-1 for web-a-1']],
    ['which stays as it is', {}, [['web-a-1', 'web-a-1']], []],
    ['what comes has its own before the switch', coming, [['web-a-1', 'web-a-1']], ['make web-a-2 for web-a-2']],
    [
      'that of what was left goes after it',
      switched,
      [
        ['web-a-1', 'web-a-1'],
        ['web-a-2', 'web-a-2'],
      ],
      ['remove web-a-1'],
    ],
    [
      'it moves where what serves has none, as after a rollback',
      back,
      [['web-a-2', 'web-a-2']],
      ['move web-a-2 for web-a-1'],
    ],
    ['one that has moved keeps its name', back, [['web-a-2', 'web-a-1']], []],
    [
      'its name is taken for what comes',
      again,
      [['web-a-2', 'web-a-1']],
      [`make ${objectName('web', 'a')} for web-a-2`],
    ],
    [
      'two of one Deployment become one',
      {},
      [
        ['web-a-2', 'web-a-1'],
        ['web-a-1', 'web-a-1'],
      ],
      ['remove web-a-2'],
    ],
    ['one that somebody leads astray is put back', {}, [['web-a-1', 'other']], ['move web-a-1 for web-a-1']],
    [
      'a pool with one replica has none',
      { pools: { a: { replicas: 1 } } },
      [['web-a-1', 'web-a-1']],
      ['remove web-a-1'],
    ],
  ])('%s', (_what, words, there, done) => {
    expect(budgetActions(words, there)).toEqual(done);
  });
});
