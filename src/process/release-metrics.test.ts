import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { AppRelease } from '../api/app-release.ts';
import { createReleaseMetrics } from './release-metrics.ts';

function create(limit?: number) {
  const registry = new Registry();
  const metrics = createReleaseMetrics(registry, limit);
  /** The samples of these metrics. */
  const samples = async (...names: string[]) =>
    (await registry.metrics()).split('\n').filter((line) => names.some((name) => line.startsWith(`${name}{`)));
  return { ...metrics, samples };
}

function status(version: string, reason: string): Pick<AppRelease, 'status'> {
  const ready = { type: 'Ready', status: 'False' as const, reason, message: '', lastTransitionTime: '' };
  return { status: { version, stage: 'canary', conditions: [ready] } };
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

test('each release has one series of information', async () => {
  const { release, samples } = create();
  release('shop/web', status('1.0.0', 'Progressing'));
  release('shop/web', status('2.0.0', 'Failed'));
  release('shop/new', { status: { observedGeneration: -1 } });
  expect(await samples(INFO)).toEqual([
    `${INFO}{${WEB},version="2.0.0",stage="canary",state="Failed"} 1`,
    `${INFO}{namespace="shop",release="new",version="",stage="",state=""} 1`,
  ]);
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
  const { notice, release, samples } = create(2);
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
