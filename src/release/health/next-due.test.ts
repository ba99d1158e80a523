import { expect, test } from 'vitest';
import { ago, NOW } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { nextDue } from './record-health.ts';

const SOAK = { canary: { soak: '10m' }, production: { soak: '10m' } };

/** Revision 2 has entered pool a, with these facts. */
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

const CORDONED = { metadata: { name: 'node' }, ready: true, unschedulable: true, taints: [], markedAt: ago(2) };

/** The minutes until a pass for pool a is due. Deadline and soak are 10 minutes each. */
test.each<[what: string, words: Words, due: number[]]>([
  ['a soak ends', inCanary({ entered: 5, healthySince: 3 }, SERVES), [7]],
  ['a soak that has ended is not due', inCanary({ entered: 20, healthySince: 15 }, SERVES), []],
  ['a deadline ends', inCanary({ entered: 5, clock: 4 }), [6]],
  ['a deadline whose clock is stopped is not due', inCanary({ entered: 5, clock: 4, stopped: 1 }), []],
  ['a deadline without a Deployment is not due', inCanary({ entered: 5, clock: 4 }, {}), []],
  ['a revision that has not entered the pool has no soak and no deadline', inCanary({}), []],
  ['a revision that failed has no soak and no deadline', inCanary({ entered: 5, failed: 1 }), []],
  [
    'a served revision soaks while another revision is wanted',
    inCanary({ entered: 5, healthySince: 3 }, SERVES, { wants: 3 }),
    [7],
  ],
  ['a rollback has until its deadline to find VMs', inCanary({ entered: 9 }, { serves: 2, replicas: 0 }, HELD), [6]],
  [
    'a rollback has the same deadline for the pods of its target',
    inCanary({ entered: 9 }, { serves: 2, beside: { 1: 1 } }, HELD),
    [6, 6],
  ],
  [
    'a VM no longer excuses its pods',
    inCanary({ entered: 5, clock: 4, stopped: 1 }, undefined, { more: { nodes: [CORDONED] } }),
    [8],
  ],
])('%s', (_what, words, due) => {
  expect(nextDue(viewOf(words)).map((time) => (time - NOW) / 60_000)).toEqual(due);
});
