import { expect, test } from 'vitest';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import { shareBar } from './bar.ts';

function status(percent: string | undefined): AppReleaseStatus {
  const base = { name: 'canary', version: '1.0.0', revision: 1, replicas: 1, readyReplicas: 1 };
  const exposure = percent === undefined ? undefined : { revision: 2, percent, total: '1%', steps: 2, message: '' };
  const history = [1, 2].map((revision) => ({
    revision,
    version: `${revision}.0.0`,
    images: [],
    createdAt: '',
    outcome: 'Good' as const,
  }));
  return { pools: [{ ...base, traffic: { percent: '10%', weight: 10, ...(exposure && { exposure }) } }], history };
}

test.each<[percent: string | undefined, bar: string]>([
  [undefined, 'canary  1.0.0 ░░░░░░░░░░░░░░░░░░░░░░░░'],
  ['0%', 'canary  1.0.0 ░░░░░░░░░░░░░░░░░░░░░░░░ 2.0.0 0%'],
  ['50%', 'canary  1.0.0 ░░░░░░░░░░░░████████████ 2.0.0 50%'],
  ['100%', 'canary  1.0.0 ████████████████████████ 2.0.0 100%'],
])('the bar of %s', (percent, bar) => {
  expect(shareBar(status(percent), 'canary')).toBe(bar);
});

test('the bar of a pool that serves the new version is of that version alone', () => {
  const { pools = [], history } = status('100%');
  const served = {
    pools: pools.map((pool) => ({ ...pool, version: '2.0.0', revision: 2 })),
    ...(history && { history }),
  };
  expect(shareBar(served, 'canary')).toBe('canary  2.0.0 ░░░░░░░░░░░░░░░░░░░░░░░░');
});

test('a pool without a route has no bar', () => {
  expect(shareBar({ pools: [{ name: 'canary', replicas: 1, readyReplicas: 1 }] }, 'canary')).toBeUndefined();
});
