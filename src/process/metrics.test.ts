import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

async function sample(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string | undefined> {
  const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${name} `));
  return line?.slice(name.length + 1);
}

test('counts every report', async () => {
  const metrics = createMetrics('1.2.3', { skewMs: () => -6_000 });
  metrics.request({ verb: 'patch', resource: 'appreleases/status', code: 409, seconds: 0.01 });
  metrics.reconciled('error', 0.2);
  metrics.queue.depth?.(7);
  metrics.queue.retry?.();
  metrics.leading(true);
  metrics.notice('shop/web', 'Switched');
  metrics.notice('shop/web', 'InternalError');
  metrics.resolution({ registry: 'a', outcome: 'NotFound', seconds: 1 });
  const expected = {
    'apprelease_build_info{version="1.2.3"}': '1',
    'apprelease_api_requests_total{verb="patch",resource="appreleases/status",code="409"}': '1',
    'apprelease_reconcile_total{result="error"}': '1',
    apprelease_reconcile_errors_total: '1',
    'workqueue_depth{name="apprelease"}': '7',
    'workqueue_retries_total{name="apprelease"}': '1',
    apprelease_leader: '1',
    apprelease_clock_skew_seconds: '-6',
    'apprelease_registry_resolutions_total{outcome="NotFound"}': '1',
    'apprelease_switches_total{namespace="shop",release="web"}': '1',
    'apprelease_internal_errors_total{namespace="shop",release="web"}': '1',
  };
  for (const [name, value] of Object.entries(expected)) expect(await sample(metrics, name), name).toBe(value);
});

test('measures rollbacks that it saw from the start', async () => {
  const metrics = createMetrics('1');
  metrics.notice('shop/web', 'RollbackComplete');
  expect(await sample(metrics, 'apprelease_rollback_duration_seconds_count')).toBe('0');
  metrics.notice('shop/web', 'RollbackAccepted');
  metrics.notice('shop/api', 'RollbackComplete');
  metrics.notice('shop/web', 'RollbackComplete');
  expect(await sample(metrics, 'apprelease_rollback_duration_seconds_count')).toBe('1');
  expect(await sample(metrics, 'apprelease_rollbacks_completed_total{namespace="shop",release="web"}')).toBe('2');
});

test('two instances in one process do not conflict', () => {
  expect(() => [createMetrics('1'), createMetrics('2')]).not.toThrow();
});
