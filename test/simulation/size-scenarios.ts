/** Scenarios with sizes that somebody sets on the Deployment that serves. */
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import { objectName } from '../../src/release/record/names.ts';
import { deploymentSpec } from './pods.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { rollingSpec, webSpec, workerSpec } from './specs.ts';
import {
  RELEASED,
  act,
  behaves,
  complete,
  create,
  edit,
  editPool,
  everywhere,
  everywhereAt,
  HELD,
  is,
  ready,
  rollback,
  serves,
  version,
  wait,
} from './steps.ts';
import { poolsOf, servedDeployment, specOf } from './truth.ts';

const [FIRST, SECOND] = [1, 2].map((revision) => objectName('web', 'prod-a', revision)) as [string, string];
const WORKERS = objectName('web', 'prod-a');
const QUIET = { ...RELEASED, Contested: 'False' };
const QUIET_HELD = { ...HELD, Contested: 'False' };

function scale(deployment: string, replicas: number, when?: UserStep['when']): UserStep {
  return act(
    `scale ${deployment} to ${replicas}`,
    ({ users }) => {
      users.scale(deployment, replicas);
    },
    when,
  );
}

function sizeOf(world: Scene['world']): number | undefined {
  const pool = poolsOf('web', specOf(world.get('AppRelease', 'web'))).find(({ name }) => name === 'prod-a');
  const served = pool && servedDeployment(world, 'web', pool);
  return served && deploymentSpec(served).replicas;
}

function sizeIs(replicas: number): Scenario['expect']['also'] {
  return ({ world }) => {
    const size = sizeOf(world);
    return size === replicas ? undefined : `prod-a has ${size ?? 'no'} pods, not ${replicas}`;
  };
}

function replicas(count: number, when?: UserStep['when']): UserStep {
  return edit(
    `set ${count} replicas in prod-a`,
    editPool('prod-a', (found) => {
      found.replicas = count;
    }),
    when,
  );
}

/** The status says that somebody else sets the size of prod-a. */
function saysWho(replicasReason: string | undefined): (scene: Scene) => boolean {
  return ({ world }) => {
    const status = world.get('AppRelease', 'web')?.status as AppReleaseStatus | undefined;
    return status?.pools?.find(({ name }) => name === 'prod-a')?.replicasReason === replicasReason;
  };
}

function both(...wanted: ((scene: Scene) => boolean)[]): (scene: Scene) => boolean {
  return (scene) => wanted.every((one) => one(scene));
}

function autoscaled(spec: SpecDraft): SpecDraft {
  editPool('prod-a', (found) => {
    found.autoscaling = { minReplicas: 2, maxReplicas: 6 };
  })(spec);
  return spec;
}

/** The pool has the size after a version, and after the way back. */
function carries(name: string, spec: SpecDraft, served: string, replicas: number): Scenario[] {
  const steps = [create(spec), scale(served, replicas, ready), wait(60), version('2.0.0', ready)];
  const arrived = both(ready, everywhere('2.0.0'));
  return [
    {
      name: `${name}-then-a-version`,
      steps: [...steps, act('see it there', () => undefined, arrived), wait(60)],
      expect: { serves: everywhereAt('2.0.0'), conditions: QUIET, also: sizeIs(replicas) },
      orderly: true,
    },
    {
      name: `${name}-then-a-version-and-back`,
      steps: [...steps, rollback('back', arrived), act('see it complete', () => undefined, complete('back')), wait(60)],
      expect: { serves: everywhereAt('1.0.0'), conditions: QUIET_HELD, also: sizeIs(replicas) },
      orderly: true,
    },
  ];
}

function sizedSpec(spec: SpecDraft, count: number): SpecDraft {
  editPool('prod-a', (found) => {
    found.replicas = count;
  })(spec);
  return spec;
}

function registryIs(up: boolean): UserStep['act'] {
  return ({ registry }) => {
    registry.up = up;
  };
}

/** One edit of the version and of the size. */
function versionWith(wanted: string, count: number, when: UserStep['when']): UserStep {
  return edit(
    `set version ${wanted} with ${count} replicas in prod-a`,
    (spec) => {
      Object.assign(spec, { version: wanted, template: webSpec(wanted).template });
      sizedSpec(spec, count);
    },
    when,
  );
}

export const SIZES: readonly Scenario[] = [
  ...carries('scaled-to-zero', webSpec('1.0.0'), FIRST, 0),
  ...carries('autoscaled-and-scaled-to-zero', autoscaled(webSpec('1.0.0')), FIRST, 0),
  ...carries('workers-scaled-to-zero', workerSpec('1.0.0'), WORKERS, 0),
  ...carries('scaled-by-hand', webSpec('1.0.0'), FIRST, 5),
  ...carries('workers-scaled-by-hand', workerSpec('1.0.0'), WORKERS, 5),
  {
    name: 'scaled-by-hand-and-the-spec-changes',
    steps: [
      create(),
      scale(FIRST, 5, ready),
      replicas(3, saysWho('5 by kubectl; spec.replicas 2 is not used; scale to 2 to hand it back')),
      wait(20),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: QUIET,
      also: (scene) =>
        saysWho('5 by kubectl; spec.replicas 3 is not used; scale to 3 to hand it back')(scene)
          ? sizeIs(5)?.(scene)
          : 'the status does not say who sets the size',
    },
    orderly: true,
  },
  {
    name: 'scaled-by-hand-and-handed-back',
    steps: [create(), scale(FIRST, 5, ready), scale(FIRST, 2, ready), replicas(3, saysWho(undefined))],
    expect: { serves: everywhereAt('1.0.0'), conditions: QUIET, also: sizeIs(3) },
    orderly: true,
  },
  {
    name: 'scaled-by-hand-then-a-version-and-handed-back',
    steps: [
      create(),
      scale(FIRST, 5, ready),
      version('2.0.0', ready),
      scale(SECOND, 2, both(ready, everywhere('2.0.0'))),
      replicas(3, saysWho(undefined)),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: QUIET, also: sizeIs(3) },
    orderly: true,
  },
  {
    name: 'scaled-to-zero-before-a-rollback',
    steps: [
      create(),
      version('2.0.0', ready),
      scale(SECOND, 0, both(ready, everywhere('2.0.0'))),
      rollback('back'),
      act('see it complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: QUIET_HELD, also: sizeIs(0) },
    orderly: true,
  },
  {
    // The standby has as many ready pods as serve, so the Service switches in the plan that scales the standby.
    name: 'scaled-by-hand-then-back-at-once',
    steps: [
      create(),
      version('2.0.0', ready),
      scale(SECOND, 5, both(ready, everywhere('2.0.0'))),
      rollback('back'),
      act('see it complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs(5) },
    orderly: true,
  },
  {
    name: 'autoscaled-and-scaled-to-zero-then-up-again',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      scale(FIRST, 0, ready),
      version('2.0.0'),
      scale(SECOND, 1, both(ready, everywhere('2.0.0'))),
      act(
        'see it autoscaled',
        () => undefined,
        ({ world }) => sizeOf(world) === 2,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: QUIET, also: sizeIs(2) },
    orderly: true,
  },
  {
    name: 'scaled-by-hand-before-a-rollback-without-room',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-a', 4);
    },
    steps: [
      create({ ...webSpec('1.0.0'), capacity: 'Proceed', rollback: { warmFor: '0s', drain: '1s' } }),
      version('2.0.0', ready),
      scale(
        SECOND,
        4,
        ({ world }) => serves(['prod-a', '2.0.0'])({ world } as Scene) && world.list('Deployment').length === 3,
      ),
      rollback('back', ready, { force: true }),
      act('see it complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs(4) },
    orderly: true,
  },
  {
    name: 'scaled-by-hand-before-a-failing-version',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      create(),
      scale(FIRST, 5, ready),
      version('2.0.0', ready),
      act('see it fail', () => undefined, complete('web-r2-1')),
    ],
    expect: { serves: everywhereAt('1.0.0'), also: sizeIs(5) },
    orderly: true,
  },
  ...[webSpec, rollingSpec].flatMap((spec): Scenario[] => [
    {
      name: `replicas-lowered-with-a-version-that-never-gets-ready-${spec.name}`,
      prepare: behaves('2.0.0', 'never'),
      steps: [create(sizedSpec(spec('1.0.0'), 3)), versionWith('2.0.0', 1, ready)],
      expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs(3) },
    },
    {
      name: `replicas-raised-with-a-version-that-never-gets-ready-${spec.name}`,
      prepare: behaves('2.0.0', 'never'),
      steps: [create(sizedSpec(spec('1.0.0'), 2)), versionWith('2.0.0', 3, ready)],
      expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs(2) },
    },
    {
      name: `replicas-lowered-with-a-good-version-${spec.name}`,
      steps: [create(sizedSpec(spec('1.0.0'), 3)), versionWith('2.0.0', 1, ready)],
      expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs(1) },
    },
    {
      name: `replicas-raised-with-a-good-version-${spec.name}`,
      steps: [create(sizedSpec(spec('1.0.0'), 2)), versionWith('2.0.0', 3, ready)],
      expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs(3) },
    },
  ]),
  {
    name: 'replicas-lowered-with-a-version-then-raised-alone',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create(sizedSpec(webSpec('1.0.0'), 3)),
      versionWith('2.0.0', 1, ready),
      replicas(4, is('RolledBack', 'True')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs(4) },
  },
  {
    name: 'replicas-raised-alone-while-a-version-is-not-recorded',
    steps: [
      create(sizedSpec(webSpec('1.0.0'), 3)),
      act('the registry goes down', registryIs(false), ready),
      versionWith('2.0.0', 1, ready),
      replicas(4, is('Ready', 'False', 'ResolvingDigests')),
      act('the registry comes back', registryIs(true), ({ world }) => sizeOf(world) === 4),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs(4) },
    orderly: true,
  },
  {
    name: 'replicas-lowered-with-a-version-that-is-not-recorded',
    steps: [
      create(sizedSpec(webSpec('1.0.0'), 3)),
      act('the registry goes down', registryIs(false), ready),
      versionWith('2.0.0', 1, ready),
      wait(120),
      act('the registry comes back', registryIs(true), ({ world }) => sizeOf(world) === 3),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs(1) },
    orderly: true,
  },
  {
    name: 'replicas-lowered-with-a-revert',
    steps: [create(sizedSpec(webSpec('1.0.0'), 3)), version('2.0.0', ready), versionWith('1.0.0', 1, ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: sizeIs(1) },
  },
  {
    name: 'replicas-lowered-with-a-version-then-another-version',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create(sizedSpec(webSpec('1.0.0'), 3)),
      versionWith('2.0.0', 1, ready),
      version('3.0.0', is('RolledBack', 'True')),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: sizeIs(1) },
  },
];
