import { expect, test, vi } from 'vitest';
import { podShape } from '../../scheduling/shape.ts';
import type { Claim, Claims } from '../../release/state/claim.ts';
import { createClaimBook } from './claims.ts';

function claim(count: number): Claim {
  const shape = podShape({ spec: { containers: [{ name: 'main', image: 'web' }] } });
  return { pool: 'a', shape, count, nodeSelector: {}, leaving: new Set(), labelled: [] };
}

function claims(release: string, pods: number, since?: number): Claims {
  const reserved = pods > 0 ? [claim(pods)] : [];
  return { release, reserved, ...(since !== undefined && { waiting: { since, claims: [claim(1)] } }) };
}

test('a new leader looks up once the claims of releases without a pass', () => {
  const lookUp = vi.fn((release: string) => claims(release, release === 'shop/b' ? 2 : 0));
  const book = createClaimBook(() => ['shop/a', 'shop/b', 'shop/c'], lookUp);
  book.note('shop/c', claims('shop/c', 1));
  expect(book.others('shop/a').map(({ release }) => release)).toEqual(['shop/c', 'shop/b']);
  expect(lookUp.mock.calls).toEqual([['shop/a'], ['shop/b']]);
  book.others('shop/a');
  expect(lookUp).toHaveBeenCalledTimes(2);
});

test('claims count for other releases at once, and not for the release itself', () => {
  const book = createClaimBook(
    () => [],
    () => undefined,
  );
  book.note('shop/a', claims('shop/a', 3));
  expect(book.others('shop/b')).toEqual([claims('shop/a', 3)]);
  expect(book.others('shop/a')).toEqual([]);
});

test.each([
  ['not while the release reserves as much', claims('shop/a', 3), false],
  ['when its pods have been scheduled', claims('shop/a', 1), true],
  ['when it reserves nothing any more', claims('shop/a', 0), true],
])('releases that wait are enqueued: %s', (_when, next, isHeard) => {
  const book = createClaimBook(
    () => [],
    () => undefined,
  );
  expect(book.note('shop/a', claims('shop/a', 3))).toBe(false);
  expect(book.note('shop/a', next)).toBe(isHeard);
});

test('a release that no longer waits, or is deleted, frees its place', () => {
  const book = createClaimBook(
    () => [],
    () => undefined,
  );
  book.note('shop/a', claims('shop/a', 0, 1));
  expect(book.note('shop/a', claims('shop/a', 0))).toBe(true);
  book.note('shop/a', claims('shop/a', 2));
  expect(book.forget('shop/a')).toBe(true);
  expect(book.forget('shop/a')).toBe(false);
});
