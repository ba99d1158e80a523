import { describe, expect, test } from 'vitest';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { meta } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { chooseTargets } from './targets.ts';

const BACK: FactWords = { ...GOOD, rolledBack: 5 };

/** Pools a and b serve revision 2; revisions 1 and 2 are good in both. */
function both(more: Words = {}): Words {
  return {
    ...more,
    pools: { a: { serves: 2 }, b: { serves: 2 }, ...more.pools },
    revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: GOOD, b: GOOD } }, ...more.revisions },
  };
}

/** A rollback took back revision 2, which is wanted: both pools serve revision 1. */
const HELD = both({
  pools: { a: { serves: 1 }, b: { serves: 1 } },
  revisions: { 2: { in: { a: BACK, b: BACK } } },
});

/** The targets by pool, or why the rollback is rejected. */
function chosen(words: Words, spec: Partial<ReleaseRollback['spec']>): string {
  const rollback: ReleaseRollback = { metadata: meta('back'), spec: { release: 'web', force: false, ...spec } };
  const answer = chooseTargets(viewOf(words), rollback);
  if ('reason' in answer) return `${answer.reason}: ${answer.message.replace(/\. (No revision|Revisions).*$/, '')}`;
  return answer.pools
    .map(({ name, to, message }) => `${name} ${to ?? '-'}${message ? ` (${message})` : ''}`)
    .join(', ');
}

describe('a rollback', () => {
  test.each<[what: string, words: Words, spec: Partial<ReleaseRollback['spec']>, said: string]>([
    ['returns the pools to a revision by number', both(), { toRevision: 1 }, 'a 1, b 1'],
    ['returns the pools to a version', both(), { toVersion: '1.0.0' }, 'a 1, b 1'],
    [
      'names the pool that stays',
      both({ revisions: { 1: { in: { a: GOOD } } } }),
      { toVersion: '1.0.0' },
      'a 1, b 2 (version 1.0.0 (revision 1) was never good in pool b)',
    ],
    [
      'keeps a pool that runs the target already, so that the hold includes it',
      both({ pools: { b: { serves: 1 } } }),
      { toVersion: '1.0.0' },
      'a 1, b 1',
    ],
  ])('%s', (_what, words, spec, said) => {
    expect(chosen(words, spec)).toBe(said);
  });
});

describe('a rollback is rejected', () => {
  test.each<[what: string, words: Words, spec: Partial<ReleaseRollback['spec']>, said: string]>([
    [
      'if the target was never good, with all revisions of the version',
      both({ revisions: { 3: { version: '1.5.0' }, 4: { version: '1.5.0' } } }),
      { toVersion: '1.5.0' },
      'version 1.5.0 (revision 3, 4) was never good in pool a',
    ],
    ['if it asks for what runs already', both(), { toVersion: '2.0.0' }, 'pool a runs revision 2 (2.0.0) already'],
    [
      'if its target is the wanted revision and was taken back',
      HELD,
      { toRevision: 2, pools: ['a'] },
      'revision 2 failed or was rolled back in pool a: create a ReleasePromotion to promote revision 2 (2.0.0)',
    ],
    [
      'if its target is marked bad in one of the named pools',
      both({ pools: { a: { serves: 3 }, b: { serves: 3 } }, revisions: { 2: { in: { a: GOOD, b: BACK } }, 3: {} } }),
      { toRevision: 2 },
      'revision 2 failed or was rolled back in pool b: set spec.version to 2.0.0 to release it again',
    ],
    [
      'if its target is newer than what serves',
      both({ pools: { a: { serves: 1 }, b: { serves: 1 } }, wants: 1 }),
      { toRevision: 2, pools: ['a'] },
      'pool a runs revision 1, which is older: set spec.version to 2.0.0 to release it again',
    ],
    [
      'if it names no target and only a newer revision was good',
      both({ pools: { a: { serves: 1 }, b: { serves: 1 } }, wants: 1 }),
      {},
      'pool a runs revision 1, which is older: set spec.version to 2.0.0 to release it again',
    ],
  ])('%s', (_what, words, spec, said) => {
    expect(chosen(words, spec)).toBe(`NoTarget: ${said}`);
  });
});
