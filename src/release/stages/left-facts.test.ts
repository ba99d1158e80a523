import { expect, test } from 'vitest';
import type { Facts } from '../record/recorded-data.ts';
import { ago } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { factsIn, GOOD, viewOf } from '../world-testing.ts';
import { forgetLeft } from './left-facts.ts';

const BAD: FactWords = { ...GOOD, rolledBack: 5 };

/** The pools and stages that facts with these are left with. The spec has the pools a and b, in canary and production. */
function left(
  pools: Record<string, FactWords>,
  stages: string[],
  words: Words = {},
): { pools: string[]; stages: string[] } {
  const approval = { at: ago(5), promotion: 'go', skipSoak: false };
  const facts: Facts = {
    pools: Object.fromEntries(Object.entries(pools).map(([name, own]) => [name, factsIn(words, name, own)])),
    approvals: Object.fromEntries(stages.map((name) => [name, approval])),
  };
  forgetLeft(viewOf(words), facts);
  return { pools: Object.keys(facts.pools), stages: Object.keys(facts.approvals) };
}

test.each<[what: string, pools: Record<string, FactWords>, kept: string[]]>([
  ['of pools of the spec stays', { a: GOOD, b: GOOD }, ['a', 'b']],
  ['of a pool that left goes', { a: GOOD, before: GOOD }, ['a']],
  ['of a failure in a pool that left stays', { a: GOOD, before: { entered: 9, failed: 3 } }, ['a', 'before']],
  ['of a rollback of a pool that left stays', { a: GOOD, before: BAD }, ['a', 'before']],
])('what is known %s', (_what, pools, kept) => {
  expect(left(pools, []).pools).toEqual(kept);
});

test('of many failures in pools that left, the oldest go', () => {
  const pools = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`left-${index}`, { ...GOOD, rolledBack: index }]),
  );
  expect(left(pools, []).pools).toEqual(Array.from({ length: 32 }, (_, index) => `left-${index}`));
});

test('what is known of a pool of the recorded spec stays: another one may take its place', () => {
  const words: Words = { stages: { canary: { pools: ['a', 'c'] } }, pools: { a: { recorded: 2 }, c: { serves: 0 } } };
  expect(left({ a: GOOD, c: GOOD }, [], words).pools).toEqual(['a', 'c']);
});

test('approvals of stages that left go', () => {
  expect(left({}, ['canary', 'production', 'before']).stages).toEqual(['canary', 'production']);
});
