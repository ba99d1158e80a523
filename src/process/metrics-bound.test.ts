import { expect, test } from 'vitest';
import type { PoolStatus } from '../api/app-release-status.ts';
import { createMetrics } from './metrics.ts';

const RELEASES = 5_000;
const POOLS = ['canary-europe', 'production-europe', 'production-america'];

async function textLength(perPool: boolean): Promise<number> {
  const metrics = createMetrics('1.0.0', { perPool });
  const version = '1.27.3-build.4711';
  const pools = POOLS.map((name): PoolStatus => {
    return { name, version, replicas: 12, readyReplicas: 11, rollback: { readiness: 'Impossible' } };
  });
  const ready = {
    type: 'Ready',
    status: 'False' as const,
    reason: 'WaitingForApproval',
    message: '',
    lastTransitionTime: '',
  };
  for (let number = 0; number < RELEASES; number += 1) {
    const status = { version, stage: 'production', pools, conditions: [ready] };
    metrics.release(`team-of-web-shops-${number % 100}/web-frontend-of-shop-${number}`, { status });
  }
  const text = await metrics.text();
  expect(text.match(/^apprelease_info\{/gm)).toHaveLength(RELEASES);
  return text.length;
}

test('5,000 releases of 3 pools have less than 10 MB of metrics without series of pools, and less than 40 MB with them', async () => {
  expect(await textLength(false)).toBeLessThan(10_000_000);
  expect(await textLength(true)).toBeLessThan(40_000_000);
});
