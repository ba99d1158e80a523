import { expect, test } from 'vitest';
import { canonicalJson, joinName, shortHash, versionLabel } from './names.ts';

test('canonical JSON does not depend on the order of keys, but on that of lists', () => {
  expect(canonicalJson({ b: 1, a: { d: [2, 1], c: 3 } })).toBe('{"a":{"c":3,"d":[2,1]},"b":1}');
  expect(shortHash({ a: 1, b: 2 })).toBe(shortHash({ b: 2, a: 1 }));
  expect(shortHash([1, 2])).not.toBe(shortHash([2, 1]));
});

test('a name that fits is joined plainly, one that does not stays unique and valid', () => {
  expect(joinName('web', 'prod-a', 3)).toBe('web-prod-a-3');
  const long = 'p'.repeat(60);
  const cut = joinName('web', long, 3);
  expect(cut.length).toBeLessThanOrEqual(63);
  expect(cut).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
  expect(cut).not.toBe(joinName('web', long, 4));
});

test.each([
  ['1.5.0', '1.5.0'],
  ['1.5.0+build.7', /^1\.5\.0_build\.7-[0-9a-f]{8}$/],
  ['v'.repeat(100), /^v{54}-[0-9a-f]{8}$/],
])('version %s becomes a valid label value', (version, label) => {
  expect(versionLabel(version)).toMatch(label);
  expect(versionLabel(version).length).toBeLessThanOrEqual(63);
});
