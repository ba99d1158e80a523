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

/** A revision of a version whose images have these digests, and what became of it in pools a and b. */
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
    ['of one version with one image', ['2.0', 'x'], ['2.0', 'x'], true],
    ['of one version with other images', ['2.0', 'x'], ['2.0', 'y'], true],
    ['of another version with the same image', ['2.0', 'x'], ['2.1', 'x'], true],
    ['of another version with the same images in another order', ['2.0', 'xy'], ['2.1', 'yx'], true],
    ['of another version with the same image twice', ['2.0', 'x'], ['2.1', 'xx'], true],
    ['that differ in both', ['2.0', 'x'], ['2.1', 'y'], false],
    ['that share one image of two', ['2.0', 'xy'], ['2.1', 'xz'], false],
    ['of which one has all images of the other and one more', ['2.0', 'x'], ['2.1', 'xy'], false],
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
    ['of one that was taken back', record(2, '2.0', 'x', { a: TAKEN_BACK, b: TAKEN_BACK })],
    ['of one that was taken back in one pool of two', record(2, '2.0', 'x', { a: GOOD, b: TAKEN_BACK })],
    ['of one that is on its second attempt', record(2, '2.0', 'x', { a: GOOD }, 2)],
    ['of one that failed in a pool that is gone', record(2, '2.0', 'x', { gone: FAILED })],
  ])('%s pass to later ones of its version or its images', (_what, bad) => {
    expect(source(bad, record(3, '2.0', 'x'))).toBe(2);
    expect(source(bad, record(3, '2.0', 'y'))).toBe(2);
    expect(source(bad, record(3, '2.1', 'x'))).toBe(2);
    expect(source(bad, record(3, '2.1', 'y'))).toBeUndefined();
  });

  test('pass to no earlier one', () => {
    const all = seen(record(2, '2.0', 'x'), record(3, '2.0', 'x', { a: FAILED }));
    expect(inheritsFrom(all, all.revisions[0] as Revision)).toBeUndefined();
  });

  test('pass to one that comes again after another version', () => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), record(3, '3.0', 'y'), record(4, '2.0', 'z'))).toBe(2);
  });

  test('do not pass on from one that only inherited them', () => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), record(3, '2.0', 'y'), record(4, '3.0', 'y'))).toBeUndefined();
  });

  test.each([
    ['in no pool', {}, 2],
    ['in one of two pools', { a: GOOD }, 2],
    ['in both', { a: GOOD, b: GOOD }, undefined],
    ['in both, and was taken back there', { a: TAKEN_BACK, b: GOOD }, 2],
  ] as const)('pass to one that is good %s itself: %#', (_where, pools, from) => {
    const bad = record(2, '2.0', 'x', { a: TAKEN_BACK, b: TAKEN_BACK });
    expect(source(bad, record(3, '2.0', 'x', pools))).toBe(from);
  });

  test('end with the proof of the revision that has them', () => {
    expect(source(record(2, '2.0', 'x', { a: GOOD, b: GOOD }, 2), record(3, '2.0', 'x'))).toBeUndefined();
  });

  test.each([
    ['proven in both pools', record(3, '2.0', 'x', { a: { good: LATE }, b: { good: LATE } }), undefined],
    ['proven in one of them', record(3, '2.0', 'x', { a: { good: LATE } }), 2],
    ['proven before the marks were made', record(3, '2.0', 'x', { a: GOOD, b: GOOD }), 2],
    ['of the version alone', record(3, '2.0', 'y', { a: { good: LATE }, b: { good: LATE } }), 2],
    ['of the images alone', record(3, '2.1', 'x', { a: { good: LATE }, b: { good: LATE } }), 2],
  ] as const)('pass by one between that is %s', (_what, between, from) => {
    expect(source(record(2, '2.0', 'x', { a: FAILED }), between, record(4, '2.0', 'x'))).toBe(from);
  });

  test('of a version whose images change with every release end with the proof of one of them', () => {
    const between = record(3, 'main', 'y', { a: { good: LATE }, b: { good: LATE } });
    expect(source(record(2, 'main', 'x', { a: FAILED }), between, record(4, 'main', 'z'))).toBeUndefined();
  });

  test('are told', () => {
    const failed = record(2, '2.0', 'x', { a: FAILED });
    const left = record(2, '2.0', 'x', { a: TAKEN_BACK });
    expect(describeMark(failed, record(3, '2.0', 'x'))).toBe(
      'revision 2 (2.0), which has the same version, failed in pool a',
    );
    expect(describeMark(left, record(3, '2.1', 'x'))).toBe(
      'revision 2 (2.0), which has the same images, was taken back by rollback back',
    );
  });
});

describe('a rollback of pools a and b that is held against revision 3 (2.0) keeps out', () => {
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
    ['a later one of its version', record(4, '2.0', 'y'), true],
    ['a later one of its images', record(4, '2.1', 'x'), true],
    ['a later one that is good in one of the pools', record(4, '2.0', 'x', { a: GOOD }), true],
    ['no later one that is good in both', record(4, '2.0', 'x', { a: GOOD, b: GOOD }), false],
    ['no later one that differs in both', record(4, '2.1', 'y'), false],
    ['an earlier one of its version that was good nowhere', record(2, '2.0', 'x'), true],
    ['no earlier one of its version that was good anywhere', record(2, '2.0', 'x', { b: GOOD }), false],
    ['an earlier one of its version that was taken back', record(2, '2.0', 'x', { b: TAKEN_BACK }), true],
    ['no earlier one that differs in both', record(2, '1.0', 'y'), false],
  ])('%s', (_what, other, kept) => {
    expect(isKept(other)).toBe(kept);
  });

  test('that one itself', () => {
    const all = seen(held);
    expect(keepsOut(all, rollback('a', 'b'), all.revisions[0] as Revision)).toBe(true);
  });

  test('what is good in the pools that it still has, and no others, no longer', () => {
    const other = record(4, '2.0', 'x', { a: GOOD });
    expect(isKept(other, rollback('a'))).toBe(false);
    const [first, second] = [{ name: 'a' }, { name: 'b', supersededBy: 'later' }];
    const status = { acceptedAt: EARLY, heldAgainst: 3, pools: [first, second] };
    expect(isKept(other, { ...rollback(), status })).toBe(false);
  });
});
