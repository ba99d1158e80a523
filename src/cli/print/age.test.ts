import { expect, test } from 'vitest';
import { ageOf, humanDuration } from './age.ts';

// The cases of k8s.io/apimachinery/pkg/util/duration.
test.each([
  [0, '0s'],
  [-3000, '0s'],
  [1999, '1s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [150_000, '2m30s'],
  [10 * 60_000, '10m'],
  [179 * 60_000, '179m'],
  [3 * 3_600_000, '3h'],
  [3 * 3_600_000 + 5 * 60_000, '3h5m'],
  [47 * 3_600_000, '47h'],
  [2 * 86_400_000, '2d'],
  [3 * 86_400_000 + 3_600_000, '3d1h'],
  [100 * 86_400_000, '100d'],
  [3 * 365 * 86_400_000, '3y'],
  [3 * 365 * 86_400_000 + 2 * 86_400_000, '3y2d'],
  [9 * 365 * 86_400_000, '9y'],
])('%d ms is %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test('an age is counted from a time of the API server', () => {
  expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:00Z'))).toBe('60s');
  expect(ageOf(undefined, 0)).toBe('<unknown>');
});
