import { expect, test } from 'vitest';
import { clockSkewed } from './clock-skew.ts';

test.each([
  [undefined, 'False', 'agree'],
  [5000, 'False', 'agree'],
  [-5000, 'False', 'agree'],
  [5001, 'True', '5 s ahead of the API server'],
  [-7_200_000, 'True', '7200 s behind the API server'],
])('a skew of %s ms has status %s', (clockSkewMs, status, message) => {
  const told = clockSkewed(clockSkewMs === undefined ? {} : { clockSkewMs });
  expect(told).toMatchObject({ type: 'ClockSkewed', status });
  expect(told.message).toContain(message);
});
