import { expect, test } from 'vitest';
import { joinName, objectName, versionLabel } from './names.ts';
import { canonicalJson, shortHash } from '../../lib/canonical-json.ts';

test('canonical JSON depends on the order of list items, not on the order of keys', () => {
  expect(canonicalJson({ b: 1, a: { d: [2, 1], c: 3 } })).toBe('{"a":{"c":3,"d":[2,1]},"b":1}');
  expect(shortHash({ a: 1, b: 2 })).toBe(shortHash({ b: 2, a: 1 }));
  expect(shortHash([1, 2])).not.toBe(shortHash([2, 1]));
});

test('a short name has no hash, and a long name is cut and stays unique and valid', () => {
  expect(joinName('web', 'prod-a', 3)).toBe('web-prod-a-3');
  const long = 'p'.repeat(60);
  const cut = joinName('web', long, 3);
  expect(cut.length).toBeLessThanOrEqual(63);
  expect(cut).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
  expect(cut).not.toBe(joinName('web', long, 4));
});

test.each([
  [objectName('web', 'a', 3), /^web-a-3$/],
  [objectName('web', 'prod-a', 3), /^web-prod-a-3-[0-9a-f]{8}$/],
  [objectName('my-web', 'a'), /^my-web-a-[0-9a-f]{8}$/],
  [objectName('w'.repeat(40), 'p'.repeat(63), 3), /^w{40}-p{13}-[0-9a-f]{8}$/],
])('an object of a pool has the name %s', (name, pattern) => {
  expect(name).toMatch(pattern);
});

test('two pools never have the same object name, for any revision, placement and further parts', () => {
  const words = [
    'a',
    '1',
    '2',
    'a-1',
    '1-2',
    'a-b',
    'b',
    'a-b-1',
    'a--b',
    'pull',
    'p'.repeat(50),
    `${'p'.repeat(50)}-1`,
  ];
  const parts = [[], [1], [2], [12], [1, '12345'], [1, 'abcde', 'fedcb'], [1, 'pull', '01234567']];
  const names = words.flatMap((release) =>
    words.flatMap((pool) => parts.map((rest) => objectName(release, pool, ...rest))),
  );
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
});

test.each([
  ['1.5.0', '1.5.0'],
  ['1.5.0+build.7', /^1\.5\.0_build\.7-[0-9a-f]{8}$/],
  ['_x', /^x-[0-9a-f]{8}$/],
  ['_', /^[0-9a-f]{8}$/],
  ['v'.repeat(100), /^v{54}-[0-9a-f]{8}$/],
])('version %s becomes a valid label value', (version, label) => {
  expect(versionLabel(version)).toMatch(label);
  expect(versionLabel(version).length).toBeLessThanOrEqual(63);
});
