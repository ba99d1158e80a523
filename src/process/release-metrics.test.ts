import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import type { AppRelease } from '../api/app-release.ts';
import type { PoolStatus } from '../api/app-release-status.ts';
import { createReleaseMetrics, type ReleaseMetricsOptions } from './release-metrics.ts';

function create(options?: ReleaseMetricsOptions) {
  const registry = new Registry();
  const metrics = createReleaseMetrics(registry, options);
  /** The samples of these metrics. */
  const samples = async (...names: string[]) =>
    (await registry.metrics()).split('\n').filter((line) => names.some((name) => line.startsWith(`${name}{`)));
  return { ...metrics, samples, text: () => registry.metrics() };
}

function status(version: string, reason: string, pools: PoolStatus[] = []): Pick<AppRelease, 'status'> {
  const ready = { type: 'Ready', status: 'False' as const, reason, message: '', lastTransitionTime: '' };
  return { status: { version, stage: 'canary', conditions: [ready], pools } };
}

function pool(name: string, version?: string, more: Partial<PoolStatus> = {}): PoolStatus {
  return { name, replicas: 3, readyReplicas: 2, ...(version !== undefined && { version }), ...more };
}

const FAILURES = 'apprelease_failures_total';
const INFO = 'apprelease_info';
const WEB = 'namespace="shop",release="web"';

test('a counter names the release, and starts at 0', async () => {
  const { notice, release, samples } = create();
  release('shop/web', {});
  expect(await samples(FAILURES)).toEqual([`${FAILURES}{${WEB}} 0`]);
  notice('shop/web', 'RevisionFailed');
  notice('bank/api', 'TagMoved');
  expect(await samples(FAILURES)).toEqual([`${FAILURES}{${WEB}} 1`, `${FAILURES}{namespace="bank",release="api"} 0`]);
});

test('rollbacks are counted by their cause', async () => {
  const { notice, release, samples } = create();
  release('shop/web', {});
  notice('shop/web', 'RollbackAccepted', { cause: 'automatic' });
  notice('shop/web', 'RollbackAccepted', { cause: 'manual' });
  notice('shop/web', 'RollbackAccepted', { cause: 'manual' });
  const line = (cause: string, value: number) => `apprelease_rollbacks_total{${WEB},cause="${cause}"} ${value}`;
  expect(await samples('apprelease_rollbacks_total')).toEqual([line('manual', 2), line('automatic', 1)]);
  release('shop/web', undefined);
  expect(await samples('apprelease_rollbacks_total')).toEqual([]);
});

test('each release has one series of information', async () => {
  const { release, samples } = create();
  release('shop/web', status('1.0.0', 'Progressing'));
  release('shop/web', status('2.0.0', 'Failed'));
  release('shop/new', { status: { observedGeneration: -1 } });
  expect(await samples(INFO)).toEqual([
    `${INFO}{${WEB},version="",wanted="2.0.0",stage="canary",state="Failed"} 1`,
    `${INFO}{namespace="shop",release="new",version="",wanted="",stage="",state=""} 1`,
  ]);
});

test.each<[what: string, pools: PoolStatus[], version: string]>([
  ['every pool serves it', [pool('a', '1.0.0'), pool('b', '1.0.0')], '1.0.0'],
  ['no version while pools differ', [pool('a', '2.0.0'), pool('b', '1.0.0')], ''],
  ['no version while a pool serves none', [pool('a', '1.0.0'), pool('b')], ''],
  ['no version without pools', [], ''],
])('the version of a release: %s', async (_what, pools, version) => {
  const { release, samples } = create();
  release('shop/web', status('2.0.0', 'Progressing', pools));
  expect(await samples(INFO)).toEqual([expect.stringContaining(`,version="${version}",wanted="2.0.0",`)]);
});

describe('a pool of a release', () => {
  const pools = [
    pool('a', '2.0.0', { rollback: { readiness: 'Warm', version: '1.0.0', message: 'not in a metric' } }),
    pool('b'),
  ];

  test('has its version, its pods and how fast a rollback would be', async () => {
    const { release, samples } = create();
    release('shop/web', status('2.0.0', 'Progressing', pools));
    expect(await samples('apprelease_pool_info', 'apprelease_pool_rollback_readiness')).toEqual([
      `apprelease_pool_info{${WEB},pool="a",version="2.0.0"} 1`,
      `apprelease_pool_info{${WEB},pool="b",version=""} 1`,
      `apprelease_pool_rollback_readiness{${WEB},pool="a",readiness="Warm"} 1`,
    ]);
    expect(await samples('apprelease_pool_ready_pods', 'apprelease_pool_wanted_pods')).toEqual([
      `apprelease_pool_ready_pods{${WEB},pool="a"} 2`,
      `apprelease_pool_ready_pods{${WEB},pool="b"} 2`,
      `apprelease_pool_wanted_pods{${WEB},pool="a"} 3`,
      `apprelease_pool_wanted_pods{${WEB},pool="b"} 3`,
    ]);
  });

  test('has its standby while one is wanted, and the release the number of pools that lack it', async () => {
    const { release, samples } = create();
    const standing = (readyReplicas: number) => ({
      readiness: 'Warm' as const,
      standby: { replicas: 3, readyReplicas },
    });
    const three = [
      pool('a', '2', { rollback: standing(3) }),
      pool('b', '2', { rollback: standing(1) }),
      pool('c', '2', { rollback: { readiness: 'Cold' } }),
    ];
    release('shop/web', status('2', 'Released', three));
    expect(await samples('apprelease_pool_standby_pods', 'apprelease_pool_wanted_standby_pods')).toEqual([
      `apprelease_pool_standby_pods{${WEB},pool="a"} 3`,
      `apprelease_pool_standby_pods{${WEB},pool="b"} 1`,
      `apprelease_pool_wanted_standby_pods{${WEB},pool="a"} 3`,
      `apprelease_pool_wanted_standby_pods{${WEB},pool="b"} 3`,
    ]);
    expect(await samples('apprelease_pools_without_standby')).toEqual([`apprelease_pools_without_standby{${WEB}} 1`]);
    release('shop/web', status('2', 'Released', three.slice(2)));
    expect(await samples('apprelease_pools_without_standby')).toEqual([]);
  });

  test('has no series when it has left the release, or the release is deleted', async () => {
    const { release, samples } = create();
    release('shop/web', status('2.0.0', 'Progressing', pools));
    release('shop/web', status('2.0.0', 'Progressing', pools.slice(1)));
    expect(await samples('apprelease_pool_wanted_pods')).toEqual([`apprelease_pool_wanted_pods{${WEB},pool="b"} 3`]);
    release('shop/web', undefined);
    expect(await samples('apprelease_pool_wanted_pods')).toEqual([]);
  });

  test('has no series if these are off', async () => {
    const { release, text } = create({ perPool: false });
    release('shop/web', status('2.0.0', 'Progressing', [pool('a', '2.0.0')]));
    expect(await text()).not.toContain('apprelease_pool_');
    expect(await text()).toContain('version="2.0.0",wanted="2.0.0"');
  });
});

describe('the time of a promotion', () => {
  const SECONDS = 'apprelease_promotion_seconds_total';
  const line = (phase: string, seconds: number) => `${SECONDS}{${WEB},phase="${phase}"} ${seconds}`;

  test('is counted by what it was spent on, up to the scrape', async () => {
    let time = 5_000;
    const { release, samples } = create({ now: () => time });
    const steps: [reason: string, seconds: number][] = [
      ['Released', 1000],
      ['Progressing', 20],
      ['PullingImages', 10],
      ['Soaking', 300],
      ['WaitingForApproval', 4000],
      ['NoCapacity', 50],
      ['Progressing', 7],
    ];
    for (const [reason, seconds] of steps) {
      release('shop/web', status('2.0.0', reason));
      time += seconds * 1000;
    }
    const counted = [line('active', 37), line('soaking', 300), line('approval', 4000), line('blocked', 50)];
    expect(await samples(SECONDS)).toEqual(counted);
    time += 3_000;
    expect(await samples(SECONDS)).toEqual([line('active', 40), ...counted.slice(1)]);
    release('shop/web', status('2.0.0', 'Released'));
    time += 60_000;
    expect(await samples(SECONDS)).toEqual([line('active', 40), ...counted.slice(1)]);
  });

  test('starts at 0, and ends with the release', async () => {
    const { release, samples } = create();
    release('shop/web', {});
    expect(await samples(SECONDS)).toEqual(['active', 'soaking', 'approval', 'blocked'].map((one) => line(one, 0)));
    release('shop/web', undefined);
    expect(await samples(SECONDS)).toEqual([]);
  });
});

test('a release that exposes a version has the largest part of it', async () => {
  const { release, samples } = create();
  const base = { stage: 'canary', replicas: 1, readyReplicas: 1 };
  const exposure = { revision: 2, total: '1%', steps: 2, message: '' };
  const traffic = (percent: string) => ({ percent: '5%', weight: 5, exposure: { ...exposure, percent } });
  release('shop/web', {
    status: {
      pools: [
        { name: 'a', ...base, traffic: traffic('10%') },
        { name: 'b', ...base, traffic: traffic('0%') },
      ],
    },
  });
  release('shop/other', { status: { pools: [{ name: 'a', ...base }] } });
  expect(await samples('apprelease_exposure_percent')).toEqual([`apprelease_exposure_percent{${WEB}} 10`]);
  release('shop/web', status('2.0.0', 'Released'));
  expect(await samples('apprelease_exposure_percent')).toEqual([]);
});

test('the series of a deleted release disappear', async () => {
  const { notice, release, samples } = create();
  release('shop/web', status('1.0.0', 'Released'));
  notice('shop/web', 'RevisionFailed');
  release('shop/web', undefined);
  expect(await samples(FAILURES, INFO, 'apprelease_switches_total')).toEqual([]);
  release('shop/web', undefined);
  notice('shop/web', 'Switched');
  expect(await samples(FAILURES)).toEqual([`${FAILURES}{${WEB}} 0`]);
});

test('releases above the limit are counted together', async () => {
  const { notice, release, samples } = create({ limit: 2 });
  for (const number of [0, 1]) release(`shop/web-${number}`, {});
  release('shop/more', status('1.0.0', 'Released'));
  notice('shop/more', 'RevisionFailed');
  notice('shop/others', 'RevisionFailed');
  const found = await samples(FAILURES, INFO);
  expect(found.filter((line) => !line.includes('release="web-'))).toEqual([`${FAILURES}{namespace="",release=""} 2`]);
  release('shop/web-0', undefined);
  release('shop/more', status('1.0.0', 'Released'));
  expect(await samples(INFO)).toContainEqual(expect.stringContaining('release="more"'));
});
