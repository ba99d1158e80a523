import { expect, test } from 'vitest';
import { NOW } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { nextDue } from './record-health.ts';

const SOAK = { canary: { soak: '10m' }, production: { soak: '10m' } };

/** Revision 2 was let into pool a with these facts. */
function inCanary(facts: FactWords, pool: PoolWords = { beside: { 2: 1 } }, more: Words = {}): Words {
  return {
    stages: SOAK,
    pools: { a: pool },
    revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: facts } } },
    ...more,
  };
}

const SERVES: PoolWords = { serves: 2 };
const HELD: Words = { rollback: { against: 2, to: { a: 1 }, accepted: 4 } };

/** In how many minutes something of pool a is due; a version has 10 minutes, as has its soak. */
test.each<[what: string, words: Words, due: number[]]>([
  ['a soak ends', inCanary({ entered: 5, healthySince: 3 }, SERVES), [7]],
  ['a soak that has ended is over', inCanary({ entered: 20, healthySince: 15 }, SERVES), []],
  ['a deadline ends', inCanary({ entered: 5, clock: 4 }), [6]],
  ['a deadline whose clock stands still does not', inCanary({ entered: 5, clock: 4, stopped: 1 }), []],
  ['a deadline needs a Deployment', inCanary({ entered: 5, clock: 4 }, {}), []],
  ['a version that was not let in has neither', inCanary({}), []],
  ['a version that failed has neither', inCanary({ entered: 5, failed: 1 }), []],
  [
    'what serves while another version is wanted soaks too',
    inCanary({ entered: 5, healthySince: 3 }, SERVES, { wants: 3 }),
    [7],
  ],
  ['a rollback has until its deadline to find VMs', inCanary({ entered: 9 }, { serves: 2, replicas: 0 }, HELD), [6]],
  [
    'a rollback has as long for the pods of its target',
    inCanary({ entered: 9 }, { serves: 2, beside: { 1: 1 } }, HELD),
    [6, 6],
  ],
])('%s', (_what, words, due) => {
  expect(nextDue(viewOf(words)).map((time) => (time - NOW) / 60_000)).toEqual(due);
});
