import { describe, expect, test } from 'vitest';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { describeMark, inheritsFrom, isKin, keepsOut } from './kinship.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import { controllerRevision, meta, NOW, observed, release, revision, spec } from '../testing.ts';
import { view } from '../view.ts';

const EARLY = '2026-01-01T11:00:00Z';
const LATE = '2026-01-01T11:30:00Z';
const GOOD: PoolFacts = { good: EARLY };
const FAILED: PoolFacts = { failed: { at: EARLY, attempt: 1, reason: 'CrashLoop', message: 'crashes' } };
const TAKEN_BACK: PoolFacts = { good: EARLY, rolledBack: { at: EARLY, by: 'back' } };

/** A revision of a version, with one image per character of `digests`, and its facts in pools a and b. */
function record(
  number: number,
  version: string,
  digests: string,
  pools: Facts['pools'] = {},
  attempt?: number,
): Revision {
  const facts: Facts = { pools, approvals: {}, ...(attempt !== undefined && { attempt }) };
  const made = revision(number, spec({ version }), facts);
  const images = Object.fromEntries(
    digests.split('').map((digest, index) => [`image-${index}`, { image: `image-${index}@${digest}`, digest }]),
  );
  return { ...made, data: { ...made.data, images } };
}

function seen(...revisions: Revision[]) {
  return view(observed({ release: release(), revisions: revisions.map(controllerRevision) }), NOW);
}

describe('kin are revisions', () => {
  test.each([
    ['with the same version and the same image', ['2.0', 'x'], ['2.0', 'x'], true],
    ['with the same version and other images', ['2.0', 'x'], ['2.0', 'y'], true],
    ['with other versions and the same image', ['2.0', 'x'], ['2.1', 'x'], true],
    ['with other versions and the same images in another order', ['2.0', 'xy'], ['2.1', 'yx'], true],
    ['with other versions and the same image twice', ['2.0', 'x'], ['2.1', 'xx'], true],
    ['but not if both differ', ['2.0', 'x'], ['2.1', 'y'], false],
    ['but not if they share one image of two', ['2.0', 'xy'], ['2.1', 'xz'], false],
    ['but not if one has an additional image', ['2.0', 'x'], ['2.1', 'xy'], false],
  ] as const)('%s: %#', (_what, [version, digests], [another, others], kin) => {
    expect(isKin(record(1, version, digests), record(2, another, others))).toBe(kin);
    expect(isKin(record(1, another, others), record(2, version, digests))).toBe(kin);
  });
});

describe('bad marks', () => {
  /** The number of the revision that the newest one inherits from. */
  function source(...revisions: Revision[]): number | undefined {
    const heir = revisions.at(-1);
    const all = seen(...revisions);
    return heir && inheritsFrom(all, all.revisions.find(({ number }) => number === heir.number) ?? heir)?.number;
  }

  test.each([
    ['of a failed revision', record(2, '2.0', 'x', { a: FAILED })],
    ['of a revision that was rolled back', record(2, '2.0', 'x', { a: TAKEN_BACK, b: TAKEN_BACK })],
    ['of a revision that was rolled back in one pool of two', record(2, '2.0', 'x', { a: GOOD, b: TAKEN_BACK })],
    ['of a revision on its second attempt', record(2, '2.0', 'x', { a: GOOD }, 2)],
    ['of a revision that failed in a removed pool', record(2, '2.0', 'x', { gone: FAILED })],
  ])('%s pass to later revisions with its version or its images', (_what, bad) => {
    expect(source(bad, record(3, '2.0', 'x'))).toBe(2);
    expect(source(bad, record(3, '2.0', 'y'))).toBe(2);
    expect(source(bad, record(3, '2.1', 'x'))).toBe(2);
    expect(source(bad, record(3, '2.1', 'y'))).toBeUndefined();
  });

  test('do not pass to an earlier revision', () => {
    const all = seen(record(2, '2.0', 'x'), record(3, '2.0', 'x', { a: FAILED }));
    expect(inheritsFrom(all, all.revisions[0] as Revision)).toBeUndefined();
  });

  test('pass to a revision of the same version after another version', () => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), record(3, '3.0', 'y'), record(4, '2.0', 'z'))).toBe(2);
  });

  test('do not pass on from a revision that only inherited them', () => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), record(3, '2.0', 'y'), record(4, '3.0', 'y'))).toBeUndefined();
  });

  test.each([
    ['pass to a revision that is good in no pool', {}, 2],
    ['pass to a revision that is good in one of two pools', { a: GOOD }, 2],
    ['do not pass to a revision that is good in both pools', { a: GOOD, b: GOOD }, undefined],
    ['pass to a revision that was good in both pools and was rolled back in one', { a: TAKEN_BACK, b: GOOD }, 2],
  ] as const)('%s', (_where, pools, from) => {
    const bad = record(2, '2.0', 'x', { a: TAKEN_BACK, b: TAKEN_BACK });
    expect(source(bad, record(3, '2.0', 'x', pools))).toBe(from);
  });

  test('end when the revision that has them is proven again', () => {
    expect(source(record(2, '2.0', 'x', { a: GOOD, b: GOOD }, 2), record(3, '2.0', 'x'))).toBeUndefined();
  });

  test.each([
    [
      'end if a revision between the two is proven in both pools',
      record(3, '2.0', 'x', { a: { good: LATE }, b: { good: LATE } }),
      undefined,
    ],
    ['pass if a revision between the two is proven in one pool', record(3, '2.0', 'x', { a: { good: LATE } }), 2],
    [
      'pass if a revision between the two was proven before the marks were made',
      record(3, '2.0', 'x', { a: GOOD, b: GOOD }),
      2,
    ],
    [
      'pass if a proven revision between the two shares only the version',
      record(3, '2.0', 'y', { a: { good: LATE }, b: { good: LATE } }),
      2,
    ],
    [
      'pass if a proven revision between the two shares only the images',
      record(3, '2.1', 'x', { a: { good: LATE }, b: { good: LATE } }),
      2,
    ],
  ] as const)('%s', (_what, between, from) => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), between, record(4, '2.0', 'x'))).toBe(from);
  });

  test('of a version whose images change with every release end when one of its revisions is proven', () => {
    const between = record(3, 'main', 'y', { a: { good: LATE }, b: { good: LATE } });
    expect(source(record(2, 'main', 'x', { a: FAILED }), between, record(4, 'main', 'z'))).toBeUndefined();
  });

  test('are described with the revision, the pool and the rollback', () => {
    const failed = record(2, '2.0', 'x', { a: FAILED });
    const left = record(2, '2.0', 'x', { a: TAKEN_BACK });
    expect(describeMark(failed, record(3, '2.0', 'x'))).toBe(
      'revision 2 (2.0), which has the same version, failed in pool a',
    );
    expect(describeMark(left, record(3, '2.1', 'x'))).toBe(
      'revision 2 (2.0), which has the same images, was rolled back by rollback back',
    );
  });
});

describe('a rollback of pools a and b that is held against revision 3 (2.0)', () => {
  const held = record(3, '2.0', 'x', { a: TAKEN_BACK, b: TAKEN_BACK });

  function rollback(...pools: string[]): ReleaseRollback {
    const status = { acceptedAt: EARLY, heldAgainst: 3, pools: pools.map((name) => ({ name, from: 3, to: 1 })) };
    return { metadata: meta('back'), spec: { release: 'web', force: false }, status };
  }

  function isKept(other: Revision, by = rollback('a', 'b')): boolean {
    const all = seen(held, other);
    return keepsOut(all, by, all.revisions.find(({ number }) => number === other.number) ?? other);
  }

  test.each([
    ['blocks a later revision of its version', record(4, '2.0', 'y'), true],
    ['blocks a later revision with its images', record(4, '2.1', 'x'), true],
    ['blocks a later kin that is good in one of the pools', record(4, '2.0', 'x', { a: GOOD }), true],
    ['admits a later kin that is good in both pools', record(4, '2.0', 'x', { a: GOOD, b: GOOD }), false],
    ['admits a later revision with another version and other images', record(4, '2.1', 'y'), false],
    ['blocks an earlier revision of its version that was never good', record(2, '2.0', 'x'), true],
    ['admits an earlier revision of its version that was good in a pool', record(2, '2.0', 'x', { b: GOOD }), false],
    ['blocks an earlier revision of its version that was rolled back', record(2, '2.0', 'x', { b: TAKEN_BACK }), true],
    ['admits an earlier revision with another version and other images', record(2, '1.0', 'y'), false],
  ])('%s', (_what, other, kept) => {
    expect(isKept(other)).toBe(kept);
  });

  test('blocks revision 3', () => {
    const all = seen(held);
    expect(keepsOut(all, rollback('a', 'b'), all.revisions[0] as Revision)).toBe(true);
  });

  test('admits a kin that is good in all pools that the rollback still holds', () => {
    const other = record(4, '2.0', 'x', { a: GOOD });
    expect(isKept(other, rollback('a'))).toBe(false);
    const [first, second] = [{ name: 'a' }, { name: 'b', supersededBy: 'later' }];
    const status = { acceptedAt: EARLY, heldAgainst: 3, pools: [first, second] };
    expect(isKept(other, { ...rollback(), status })).toBe(false);
  });
});
