// The operator dies after each of its writes, restarts, and reaches the same end state: the steps that create every kind of
// object. test/simulation/simulation.test.ts shows other steps.
import { describe, expect } from 'vitest';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import type { Images, World } from './harness.ts';
import { test, withWorld } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { pool, release } from './release-objects.ts';
import { objectName } from '../../src/release/record/names.ts';

const oneStage: Spec['stages'] = [{ name: 'production', pools: [pool('prod-a', 1)] }];
const twoStages: Spec['stages'] = [{ name: 'canary', pools: [pool('canary-vms', 1)] }, ...oneStage];

interface Story {
  /** Prepares the state before the operator's first death. */
  prepare: (world: World) => Promise<void>;
  /** Starts the action under test. */
  act: (world: World) => Promise<void>;
  /** Waits until the action and its consequences are done. */
  done: (world: World) => Promise<void>;
  /** The histories of the Services, which must not depend on the crash. */
  timelines: Record<string, number[]>;
}

/** The number of concurrent worlds; each has its own release. */
const PARALLEL = 4;

async function dieAfterEach(images: Images, story: Story): Promise<void> {
  const writes = await withWorld(images, async (world) => {
    await story.prepare(world);
    const before = world.operator.writes.length;
    await story.act(world);
    await story.done(world);
    expect(timelinesOf(world, story)).toEqual(story.timelines);
    return world.operator.writes.length - before;
  });
  const deaths = Array.from({ length: writes }, (_, index) => index + 1);
  async function work(): Promise<void> {
    for (let death = deaths.shift(); death !== undefined; death = deaths.shift()) await dieOnce(images, story, death);
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

async function dieOnce(images: Images, story: Story, death: number): Promise<void> {
  await withWorld(images, async (world) => {
    await story.prepare(world);
    world.operator.dieAfter(death);
    await story.act(world);
    // With other timing there may be fewer writes.
    await Promise.race([world.operator.died(), story.done(world).catch(() => world.operator.died())]);
    await world.operator.restart();
    await story.done(world);
    expect(timelinesOf(world, story), `after write ${death}`).toEqual(story.timelines);
  });
}

function timelinesOf(world: World, { timelines }: Story): Record<string, number[]> {
  return Object.fromEntries(Object.keys(timelines).map((service) => [service, world.timeline(service)]));
}

async function releaseVersion(world: World, version: string, changes: Partial<Spec>): Promise<void> {
  const spec = release(await world.image(version), changes);
  await world.apply(spec);
  await world.released(spec.version ?? version);
}

async function deploymentsAre(world: World, names: string[]): Promise<void> {
  await world.until(async () => {
    expect((await world.deployments()).map(({ metadata }) => metadata.name)).toEqual(names);
  });
}

async function revisions(world: World): Promise<string[]> {
  return (await world.list(REVISIONS)).map(({ metadata }) => metadata.name);
}

describe.concurrent('a crash after each write', () => {
  test('of a promotion that pulls the images first', { timeout: 300_000 }, async ({ images }) => {
    const stages = twoStages.map((stage) => ({ ...stage, prepull: true }));
    const changes = { stages, rollback: { warmFor: '0s', drain: '100ms' } };
    await dieAfterEach(images, {
      prepare: (world) => releaseVersion(world, '1.0', changes),
      act: async (world) => {
        await world.apply(release(await world.image('2.0'), changes));
      },
      done: async (world) => {
        await world.released('2.0');
        await deploymentsAre(world, [objectName('web', 'canary-vms', 2), objectName('web', 'prod-a', 2)]);
        expect(await revisions(world)).toEqual(['web-1', 'web-2', 'web-ledger']);
        await world.until(async () => {
          const pods = await world.list(PODS);
          expect(pods.filter(({ metadata }) => metadata.name.includes('-pull-'))).toEqual([]);
        });
      },
      timelines: { 'web-canary-vms': [1, 2], 'web-prod-a': [1, 2] },
    });
  });

  test('of a rollback without a standby', { timeout: 300_000 }, async ({ images }) => {
    const changes = { stages: oneStage, rollback: { warmFor: '0s', drain: '100ms' } };
    await dieAfterEach(images, {
      prepare: async (world) => {
        await releaseVersion(world, '1.0', changes);
        await releaseVersion(world, '2.0', changes);
        await deploymentsAre(world, [objectName('web', 'prod-a', 2)]);
      },
      act: (world) => world.rollback('back'),
      done: async (world) => {
        await world.rollbackIs('back', 'Complete', 'True');
        await deploymentsAre(world, [objectName('web', 'prod-a', 1)]);
        await world.conditionIs('RolledBack', { status: 'True' });
        await world.newestIs({ version: '2.0', outcome: 'RolledBack' });
      },
      timelines: { 'web-prod-a': [1, 2, 1] },
    });
  });
});
