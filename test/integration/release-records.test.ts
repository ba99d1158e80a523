// Records of versions that somebody deletes: what serves stays as it is, and the record is rebuilt from the Deployments.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import type { World } from './harness.ts';
import { exists, test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { pool, release, stages, worker } from './release-objects.ts';

const [canary, production] = stages;
const DEBUG = { spec: { containers: [{ name: 'web', env: [{ name: 'DEBUG', value: 'on' }] }] } };

/** Amounts that the API server stores otherwise, a sidecar of another account, and a difference of one pool. */
function withParts(spec: Spec): Spec {
  const containers = spec.template.spec.containers.map((container) => ({
    ...container,
    resources: { requests: { cpu: '0.1', memory: '1024Ki' } },
    env: [{ name: 'LEVEL', value: 'info' }],
  }));
  const template = { ...spec.template, spec: { ...spec.template.spec, serviceAccountName: 'default', containers } };
  return {
    ...spec,
    template,
    stages: [
      { ...canary, name: 'canary', pools: [pool('canary-vms', 1, { template: DEBUG })] },
      { ...production, name: 'production', pools: [pool('prod-a', 2)] },
    ],
  };
}

/** The pods of a revision, and its Deployments with the generation that each change of the spec increments. */
async function running(world: World, revision: number): Promise<string[]> {
  const deployments = (await world.deployments())
    .filter(({ metadata }) => metadata.labels?.[LABEL.revision] === String(revision))
    .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.generation ?? 0}`);
  const pods = (await world.pods()).filter((one) => one.revision === revision);
  return [...deployments, ...pods.map(({ name, uid }) => `${name} ${uid}`)].toSorted();
}

/** Deletes records, and waits until that of revision 2 is rebuilt, and the version recorded once more by the spec. */
async function lose(world: World, names: readonly string[]): Promise<void> {
  await world.kubectl('delete', 'controllerrevisions', ...names);
  await world.until(async () => {
    expect(await exists(world, REVISIONS, 'web-2')).toBe(true);
    expect(await world.status()).toMatchObject({ revision: 3, version: '2.0' });
  });
  await world.released('2.0');
  expect(world.operator.notices).toContainEqual(
    expect.objectContaining({
      type: 'Warning',
      reason: 'RecordRebuilt',
      note: expect.stringMatching(/^ControllerRevision web-2 was deleted: .*version 2\.0 \(revision 2\)/) as string,
    }),
  );
}

async function second(world: World, make: typeof release): Promise<string[]> {
  await world.apply(withParts(make(await world.image('1.0'))));
  await world.released('1.0');
  await world.apply(withParts(make(await world.image('2.0'))));
  await world.released('2.0');
  return world.until(async () => {
    const pods = await world.pods();
    expect(pods.filter((one) => one.revision === 2)).toHaveLength(3);
    return running(world, 2);
  });
}

describe.concurrent.each<[strategy: string, make: typeof release]>([
  ['BlueGreen', release],
  ['RollingUpdate', (image, more) => release(image, { strategy: { type: 'RollingUpdate' }, ...more })],
  ['RollingUpdate without a Service', worker],
])('with %s', (_strategy, make) => {
  test.for<[what: string, names: string[]]>([
    ['the record of what serves', ['web-2']],
    ['all records', ['--all']],
  ])('%s is deleted: nothing restarts, and a version and a rollback work', async ([, names], { world }) => {
    const ran = await second(world, make);
    await lose(world, names);
    expect(await running(world, 2)).toEqual(ran);
    await world.operator.restart();
    await world.released('2.0');
    expect(await running(world, 2)).toEqual(ran);
    await world.apply(withParts(make(await world.image('3.0'))));
    await world.released('3.0');
    expect(await world.status()).toMatchObject({ revision: 4 });
    await world.rollback('back', { toRevision: 2 });
    await world.rollbackIs('back', 'Complete', 'True');
    expect((await world.rollbackStatus('back')).pools).toMatchObject([{ to: 2 }, { to: 2 }]);
  });
});

test('a version that is rolled back stays out without its record', async ({ world }) => {
  await second(world, release);
  await world.rollback('back');
  await world.rollbackIs('back', 'Complete', 'True');
  const ran = await running(world, 1);
  await world.kubectl('delete', 'controllerrevisions', '--all');
  await world.until(async () => {
    expect(await exists(world, REVISIONS, 'web-1')).toBe(true);
  });
  await world.conditionIs('RolledBack', { status: 'True' });
  await world.operator.restart();
  await world.conditionIs('Ready', { status: 'False', reason: 'RolledBack' });
  expect(await running(world, 1)).toEqual(ran);
  expect(await world.selected()).toEqual({ 'web-canary-vms': 1, 'web-prod-a': 1 });
});
