// Edits that change nothing for the pods of a pool, as the real API server stores them: these pods stay.
import { describe, expect } from 'vitest';
import { LABEL } from '../../src/api/meta.ts';
import type { World } from './harness.ts';
import { test } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { pool, release, stages, worker } from './release-objects.ts';

type Container = Spec['template']['spec']['containers'][number];

function withContainer(spec: Spec, more: Partial<Container>): Spec {
  const containers = spec.template.spec.containers.map((container) => ({ ...container, ...more }));
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
}

/** The release before the edits: amounts in one of their spellings, defaults left out. */
function before(spec: Spec): Spec {
  return withContainer(spec, { resources: { requests: { cpu: '100m', memory: '1024Ki' } } });
}

const DEBUG = { spec: { containers: [{ name: 'web', env: [{ name: 'DEBUG', value: 'on' }] }] } };
const LABELLED = { metadata: { labels: { tier: 'edge' } } };
const BOTH = ['canary-vms', 'prod-a'];
const [canary, production] = stages;

/** `kept`: the pools that keep their pods; `back`: the revision after the edit is taken back. */
const EDITS: [what: string, edit: (spec: Spec) => Spec, kept: string[], back: number][] = [
  [
    'amounts in another spelling',
    (spec) => withContainer(spec, { resources: { requests: { cpu: '0.1', memory: '1Mi' } } }),
    BOTH,
    1,
  ],
  [
    'defaults that are written out',
    (spec) => ({
      ...withContainer(spec, {
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        terminationMessagePolicy: 'File',
      }),
    }),
    BOTH,
    1,
  ],
  [
    'an override of the other pool',
    (spec) => ({
      ...spec,
      stages: [
        { ...canary, name: 'canary', pools: [pool('canary-vms', 1, { template: DEBUG })] },
        { ...production, name: 'production', pools: [pool('prod-a', 2)] },
      ],
    }),
    ['prod-a'],
    1,
  ],
  [
    'a pool with a template that is added',
    (spec) => ({
      ...spec,
      stages: [
        { ...canary, name: 'canary', pools: [pool('canary-vms', 1)] },
        { ...production, name: 'production', pools: [pool('prod-a', 2), pool('prod-b', 1, { template: LABELLED })] },
      ],
    }),
    BOTH,
    // A pool that left makes no new revision.
    2,
  ],
];

/** The pods of the pools, and their Deployments with the generation that each change of the spec increments. */
async function running(world: World, pools: readonly string[]) {
  const deployments = (await world.deployments())
    .filter(({ metadata }) => pools.includes(metadata.labels?.[LABEL.pool] ?? ''))
    .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.generation ?? 0}`);
  const pods = await Promise.all(pools.map((name) => world.pods(name)));
  return {
    deployments: deployments.toSorted(),
    pods: pods
      .flat()
      .map(({ uid }) => uid)
      .toSorted(),
  };
}

async function releasedAs(world: World, revision: number): Promise<void> {
  await world.until(async () => {
    expect(await world.status()).toMatchObject({ revision });
  });
  await world.conditionIs('Ready', { status: 'True' });
  const { pools = [] } = await world.status();
  expect(pools.map((one) => one.revision)).toEqual(pools.map(() => revision));
}

describe.concurrent.each<[strategy: string, make: typeof release]>([
  ['BlueGreen', release],
  ['RollingUpdate', (image, more) => release(image, { strategy: { type: 'RollingUpdate' }, ...more })],
  ['RollingUpdate without a Service', worker],
])('with %s', (_strategy, make) => {
  test.for(EDITS)('%s: the pods stay as they are', async ([, edit, kept, back], { world }) => {
    const spec = before(make(await world.image('1.0')));
    await world.apply(spec);
    await world.released('1.0');
    const ran = await running(world, kept);
    await world.apply(edit(spec));
    await releasedAs(world, 2);
    expect(await running(world, kept)).toEqual(ran);
    await world.operator.restart();
    await world.apply(spec);
    await releasedAs(world, back);
    expect(await running(world, kept)).toEqual(ran);
  });
});

test('a changed port changes the Service alone, in one write', async ({ world }) => {
  const spec = release(await world.image('1.0'));
  await world.apply(spec);
  await world.released('1.0');
  const ran = await running(world, BOTH);
  const { length } = world.operator.writes;
  await world.apply({ ...spec, service: { ports: [{ port: 81, targetPort: 'http' }] } });
  await releasedAs(world, 2);
  expect(await running(world, BOTH)).toEqual(ran);
  const written = new Set(world.operator.writes.slice(length).map(({ resource }) => resource));
  expect([...written].toSorted()).toEqual(['appreleases/status', 'controllerrevisions', 'services']);
  for (const service of ['web-canary-vms', 'web-prod-a']) {
    const ports = world.selections(service).map((state) => state.ports.join());
    expect(ports.filter((now, index) => now !== ports[index - 1])).toEqual(['80', '81']);
  }
});

test('a barrier is a mark on what runs', async ({ world }) => {
  const spec = release(await world.image('1.0'));
  await world.apply(spec);
  await world.released('1.0');
  const second = release(await world.image('2.0'));
  await world.apply(second);
  await world.released('2.0');
  const ran = await running(world, BOTH);
  await world.apply({ ...second, rollback: { ...second.rollback, barrier: true } });
  await world.until(async () => {
    expect(await world.pool('prod-a')).toMatchObject({ rollback: { readiness: 'Impossible' } });
  });
  await world.rollback('back');
  await world.rollbackIs('back', 'Accepted', 'False');
  await world.apply(second);
  await world.until(async () => {
    expect(await world.pool('prod-a')).not.toMatchObject({ rollback: { readiness: 'Impossible' } });
  });
  expect(await world.status()).toMatchObject({ revision: 2 });
  expect(await running(world, BOTH)).toEqual(ran);
});

test('a rollback passes over a revision with the same pods, and takes back an override of one pool', async ({
  world,
}) => {
  await world.apply(before(release(await world.image('1.0'))));
  await world.released('1.0');
  const spec = before(release(await world.image('2.0')));
  await world.apply(spec);
  await world.released('2.0');
  await world.apply(withContainer(spec, { resources: { requests: { cpu: '0.1', memory: '1Mi' } } }));
  await releasedAs(world, 3);
  await world.rollback('back');
  await world.rollbackIs('back', 'Complete', 'True');
  expect((await world.rollbackStatus('back')).pools).toEqual(
    BOTH.map((name) => expect.objectContaining({ name, from: 3, to: 1 }) as object),
  );
});
