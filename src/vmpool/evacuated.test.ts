import { describe, expect, test } from 'vitest';
import type { AppRelease } from '../api/app-release.ts';
import type { PoolStatus } from '../api/app-release-status.ts';
import { evacuated, trafficOf } from './evacuated.ts';

const MAINTENANCE = { reason: 'kernel patch', minRemaining: '50%', force: false };

/** A release with pool a, whose traffic there is as given. */
function using(traffic: PoolStatus['traffic'], { route = true, observedGeneration = 1 } = {}): AppRelease {
  return {
    metadata: { name: 'web', namespace: 'shop', generation: 1 },
    spec: { stages: [{ name: 's', pools: [{ name: 'a' }] }], ...(route && { route: {} }) },
    status: { observedGeneration, pools: [{ name: 'a', replicas: 1, readyReplicas: 1, ...(traffic && { traffic }) }] },
  } as unknown as AppRelease;
}

const STAYS = { percent: '50%', weight: 50, message: 'too few pods remain' };
const AWAY = { percent: '0%', weight: 0, evacuated: true };

describe('Evacuated', () => {
  test.each<[string, AppRelease[], string, string]>([
    [
      'is True without a release',
      [],
      'True TrafficAway',
      'in maintenance (kernel patch): no route leads traffic to the pool',
    ],
    [
      'is True once the traffic of all releases is away',
      [using(AWAY)],
      'True TrafficAway',
      'in maintenance (kernel patch): no route leads traffic to the pool',
    ],
    [
      'names a release without a route, which does not count',
      [using(undefined, { route: false })],
      'True TrafficAway',
      'in maintenance (kernel patch): no route leads traffic to the pool; without a route, so not counted: shop/web',
    ],
    [
      'is False while traffic stays, with the reason',
      [using(STAYS)],
      'False TrafficStays',
      'in maintenance (kernel patch); traffic of shop/web (too few pods remain)',
    ],
    [
      'is False while traffic is on its way out',
      [using({ percent: '0%', weight: 0 })],
      'False TrafficStays',
      'in maintenance (kernel patch); traffic of shop/web (its share is on its way out)',
    ],
    [
      'is False until the last change of a release is handled',
      [using(AWAY, { observedGeneration: 0 })],
      'False TrafficStays',
      'in maintenance (kernel patch); traffic of shop/web (its last change has not been handled yet)',
    ],
  ])('%s', (_what, releases, expected, message) => {
    const traffic = releases.flatMap((release) => trafficOf(release, 'a') ?? []);
    const condition = evacuated({ maintenance: MAINTENANCE, traffic });
    expect(`${condition.status} ${condition.reason}`).toBe(expected);
    expect(condition.message).toBe(message);
  });

  test('is False without a maintenance', () => {
    expect(evacuated({ traffic: [] })).toMatchObject({ status: 'False', reason: 'NotInMaintenance' });
  });

  test('does not count releases on other pools', () => {
    expect(trafficOf(using(STAYS), 'b')).toBeUndefined();
  });
});
