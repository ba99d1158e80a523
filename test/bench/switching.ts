// Part (a): a warm rollback of one release over five pools, as the API server's watches show it.
import { LABEL } from '../../src/api/meta.ts';
import type { Environment } from './environment.ts';
import { settledRequests } from './environment.ts';
import { createBareSwitch } from './bare.ts';
import {
  NAMESPACE,
  PODS,
  PROMOTIONS,
  RELEASES,
  ROLLBACKS,
  retry,
  rollback,
  SERVICES,
  SLICES,
  wideRelease,
} from './objects.ts';
import type { Version } from './objects.ts';
import { keepReleaseState, keepServiceTrack } from './kept.ts';
import { watchObjects } from './watching.ts';

/** Milliseconds each. */
export interface WarmRollbacks {
  switched: number[];
  shown: number[];
  /** A bare client that does the same writes, after each of them. */
  bare: number[];
}

/** Repeats: version 2 everywhere, version 1 warm; a ReleaseRollback; back by a ReleasePromotion. */
export async function measureWarmRollbacks(
  environment: Environment,
  name: string,
  times: number,
): Promise<WarmRollbacks> {
  const { admin, say } = environment;
  const selection = { namespace: NAMESPACE };
  const own = { ...selection, labelSelector: `${LABEL.release}=${name}` };
  const releases = await watchObjects(admin, RELEASES, keepReleaseState, selection);
  const services = await watchObjects(admin, SERVICES, keepServiceTrack, own);
  const slices = await watchObjects(
    admin,
    SLICES,
    ({ metadata, endpoints = [] }) => ({
      metadata,
      pods: endpoints.map(({ targetRef }) => targetRef?.name ?? ''),
    }),
    own,
  );
  const pods = await watchObjects(admin, PODS, ({ metadata }) => ({ metadata }), own);
  const result: WarmRollbacks = { switched: [], shown: [], bare: [] };

  async function reach(version: Version): Promise<void> {
    await releases.every(`${name} at ${version}`, [name], (release) => release.ready && release.version === version);
  }
  function tracks(): Map<string, string> {
    return new Map(services.list().map(({ metadata, track }) => [metadata.name, track]));
  }

  await admin.create(RELEASES, wideRelease(name, 'v1'));
  await reach('v1');
  const target = tracks();
  await admin.patch(RELEASES, { ...selection, name }, { type: 'merge', body: { spec: wideRelease(name, 'v2').spec } });
  await reach('v2');
  const source = tracks();
  const bare = await createBareSwitch(environment, [...source.values()]);
  for (let round = 1; round <= times; round += 1) {
    await releases.every('warm', [name], (release) => release.warm);
    await settledRequests(environment);
    const old = new Set(
      pods
        .list()
        .flatMap(({ metadata }) =>
          [...target.values()].includes(metadata.labels?.[LABEL.track] ?? '') ? [metadata.name] : [],
        ),
    );
    const began = performance.now();
    const switched = services.every(
      'selectors',
      [...target.keys()],
      ({ metadata, track }) => target.get(metadata.name) === track,
    );
    const shown = slices.every(
      'slices',
      slices.list().map(({ metadata }) => metadata.name),
      (slice) => slice.pods.length > 0 && slice.pods.every((pod) => old.has(pod)),
    );
    const rollbackName = `${name}-${String(round)}`;
    await admin.create(ROLLBACKS, rollback(rollbackName, name, 'v1'));
    result.switched.push((await switched) - began);
    result.shown.push((await shown) - began);
    if (round % 10 === 0) say(`(a) ${String(round)} of ${String(times)} warm rollbacks`);
    await releases.every('held', [name], (release) => release.held);
    await settledRequests(environment);
    const { status } = await admin.get(ROLLBACKS, { ...selection, name: rollbackName });
    result.bare.push(await bare.switchTo([...target.values()], status));
    await bare.switchTo([...source.values()], { ...status, sequence: 0 });
    await admin.create(PROMOTIONS, retry(rollbackName, name, 'v2'));
    await reach('v2');
    await admin.delete(ROLLBACKS, { ...selection, name: rollbackName });
    await admin.delete(PROMOTIONS, { ...selection, name: rollbackName });
  }
  await bare.stop();
  await admin.delete(RELEASES, { ...selection, name }, { propagationPolicy: 'Background' });
  await Promise.all([releases.stop(), services.stop(), slices.stop(), pods.stop()]);
  return result;
}
