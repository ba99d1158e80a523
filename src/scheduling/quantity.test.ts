// Quantities are parsed and printed as in Kubernetes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatResource, parseQuantity, parseResources } from './quantity.ts';

test.each([
  ['1', 1],
  ['100m', 0.1],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['5.', 5],
  ['+2', 2],
  ['-3k', -3000],
  ['2Ki', 2048],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['1e3', 1000],
  ['12E2', 1200],
  ['1E', 1e18],
  ['3Ei', 3 * 2 ** 60],
  ['10n', 1e-8],
  [4, 4],
])('reads %s', (text, value) => {
  expect(parseQuantity(text)).toBeCloseTo(value, 12);
});

test.each(['', 'x', '1 Gi', 'Gi', '1gi', '1.2.3', '--1', null, undefined, {}])('%j is not a quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});

test('only fractional amounts are rounded up, as in the scheduler', () => {
  expect(parseResources({ cpu: '0.0001', memory: '1500m' })).toEqual({ cpu: 1, memory: 2 });
  expect(parseResources({ cpu: '1.001', memory: '1.1Gi' })).toEqual({ cpu: 1001, memory: 1181116007 });
  expect(parseResources({ cpu: 2, 'nvidia.com/gpu': '1' })).toEqual({ cpu: 2000, 'nvidia.com/gpu': 1 });
});

// The canonical form of the API server.
test.each([
  ['cpu', 0, '0'],
  ['cpu', 100, '100m'],
  ['cpu', 1000, '1'],
  ['cpu', 1500, '1500m'],
  ['cpu', 16_000, '16'],
  ['cpu', 2_000_000, '2k'],
  ['cpu', -500, '-500m'],
  ['memory', 0, '0'],
  ['memory', 1023, '1023'],
  ['memory', 1024, '1Ki'],
  ['memory', 16 * 2 ** 30, '16Gi'],
  ['memory', 1536 * 2 ** 20, '1536Mi'],
  ['memory', 1_000_000_000, '1000000000'],
  ['memory', 1000, '1k'],
  ['memory', -(2 ** 30), '-1Gi'],
  ['pods', 110, '110'],
  ['pods', 3000, '3k'],
])('prints %s of %i as %s', (name, value, text) => {
  expect(formatResource(name, value)).toBe(text);
});

test('a printed quantity is parsed to the same value', () => {
  const amounts = fc.integer({ min: -(2 ** 49), max: 2 ** 49 });
  fc.assert(
    fc.property(fc.constantFrom('cpu', 'memory', 'pods'), amounts, (name, value) => {
      expect(parseResources({ [name]: formatResource(name, value) })[name]).toBe(value === 0 ? 0 : value);
    }),
  );
});
