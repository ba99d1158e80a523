/** Scenarios with pools whose size follows their load. */
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { deploymentSpec } from './pods.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { sharedSpec, webSpec, workerSpec } from './specs.ts';
import {
  RELEASED,
  act,
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
import { deploymentsOf, poolsOf, servedDeployment, specOf } from './truth.ts';
import { objectName } from '../../src/release/record/names.ts';

/** Both pools of production follow their load. */
function autoscaled(spec: SpecDraft, more: Partial<SpecDraft> = {}): SpecDraft {
  for (const found of spec.stages[1]?.pools ?? []) found.autoscaling = { minReplicas: 2, maxReplicas: 6 };
  return { ...spec, ...more };
}

function load(name: string, pods: number, when?: UserStep['when']): UserStep {
  return act(
    `the load of ${name} asks for ${pods} pods`,
    ({ cluster }) => {
      cluster.load(name, pods);
    },
    when,
  );
}

function see(what: string, when: UserStep['when']): UserStep {
  return act(`see ${what}`, () => undefined, when);
}

function scaled(deployment: string, replicas: number): (scene: Scene) => boolean {
  return ({ world }) => {
    const found = world.get('Deployment', deployment);
    return found !== undefined && deploymentSpec(found).replicas === replicas;
  };
}

function both(...wanted: ((scene: Scene) => boolean)[]): (scene: Scene) => boolean {
  return (scene) => wanted.every((one) => one(scene));
}

function sizeIs(name: string, replicas: number): Scenario['expect']['also'] {
  return ({ world }) => {
    const pool = poolsOf('web', specOf(world.get('AppRelease', 'web'))).find((candidate) => candidate.name === name);
    const served = pool && servedDeployment(world, 'web', pool);
    const size = served && deploymentSpec(served).replicas;
    return size === replicas ? undefined : `pool ${name} has ${size ?? 'no'} pods, not ${replicas}`;
  };
}

function stopAutoscaling(when: UserStep['when']): UserStep {
  return edit(
    'take the autoscaling of prod-a away',
    editPool('prod-a', (found) => {
      delete found.autoscaling;
    }),
    when,
  );
}

const LONG = { rollback: { warmFor: '20m', drain: '10s' } };
const grown = load('prod-a', 5, ready);
const fivePods = both(ready, scaled(objectName('web', 'prod-a', 1), 5));

export const AUTOSCALING: readonly Scenario[] = [
  {
    name: 'autoscaled-then-promoted',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      grown,
      version('2.0.0', fivePods),
      see('2.0.0 start with as many', both(serves(['prod-a', '1.0.0']), scaled(objectName('web', 'prod-a', 2), 5))),
      load('prod-a', 4, both(ready, everywhere('2.0.0'))),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs('prod-a', 4) },
    orderly: true,
  },
  {
    name: 'autoscaled-while-the-next-starts',
    prepare: ({ cluster }) => {
      cluster.kubelet.behaviours.set('2.0.0', 'slow');
    },
    steps: [
      create(autoscaled(webSpec('1.0.0'), { progressDeadlineSeconds: 300 })),
      version('2.0.0', ready),
      load('prod-a', 6, ({ world }) => world.get('Deployment', objectName('web', 'prod-a', 2)) !== undefined),
      see('2.0.0 follow', both(serves(['prod-a', '1.0.0']), scaled(objectName('web', 'prod-a', 2), 6))),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs('prod-a', 6) },
    orderly: true,
  },
  {
    name: 'autoscaled-standby-follows-and-returns',
    steps: [
      create(autoscaled(webSpec('1.0.0'), LONG)),
      version('2.0.0', ready),
      load('prod-a', 6, both(ready, everywhere('2.0.0'))),
      see('the standby follow', scaled(objectName('web', 'prod-a', 1), 6)),
      load('prod-a', 3),
      see('the standby follow', scaled(objectName('web', 'prod-a', 1), 3)),
      rollback('back', ready),
      load('prod-a', 4, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 4) },
    orderly: true,
  },
  {
    name: 'autoscaled-with-half-a-standby',
    steps: [
      create(autoscaled(webSpec('1.0.0'), { rollback: { ...LONG.rollback, warmReplicas: '50%' } })),
      version('2.0.0', ready),
      load('prod-a', 6, both(ready, everywhere('2.0.0'))),
      see('half a standby', scaled(objectName('web', 'prod-a', 1), 3)),
      rollback('back', ready),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 6) },
    orderly: true,
  },
  {
    name: 'autoscaling-removed',
    steps: [
      create(autoscaled(webSpec('1.0.0'), LONG)),
      version('2.0.0', ready),
      load('prod-a', 5, both(ready, everywhere('2.0.0'))),
      stopAutoscaling(scaled(objectName('web', 'prod-a', 1), 5)),
      see('the size of the spec', both(ready, scaled(objectName('web', 'prod-a', 2), 2))),
      rollback('back'),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 2) },
    orderly: true,
  },
  {
    name: 'autoscaling-removed-and-scaled-by-the-spec',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      load('prod-a', 2, ready),
      load('prod-a', 5, ready),
      load('prod-a', 2, fivePods),
      stopAutoscaling(scaled(objectName('web', 'prod-a', 1), 2)),
      edit(
        'set 3 replicas in prod-a',
        editPool('prod-a', (found) => {
          found.replicas = 3;
        }),
        ({ world }) => world.get(AUTOSCALERS.kind, objectName('web', 'prod-a')) === undefined,
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: sizeIs('prod-a', 3) },
    orderly: true,
  },
  {
    name: 'autoscaling-added',
    steps: [
      create(),
      edit(
        'autoscale prod-a',
        editPool('prod-a', (found) => {
          found.autoscaling = { minReplicas: 3, maxReplicas: 4 };
        }),
        ready,
      ),
      version('2.0.0', scaled(objectName('web', 'prod-a', 1), 3)),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs('prod-a', 3) },
    orderly: true,
  },
  {
    name: 'autoscaled-workers',
    steps: [
      create(autoscaled(workerSpec('1.0.0'))),
      grown,
      version('2.0.0', both(ready, scaled(objectName('web', 'prod-a'), 5))),
      rollback('back', both(ready, everywhere('2.0.0'))),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 5) },
    orderly: true,
  },
  {
    name: 'autoscaled-behind-one-service',
    steps: [
      create(autoscaled(sharedSpec('1.0.0'))),
      grown,
      version('2.0.0', fivePods),
      rollback('back', both(ready, everywhere('2.0.0'))),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 5) },
    orderly: true,
  },
  {
    name: 'autoscaled-pool-leaves',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      edit(
        'remove pool prod-b',
        (spec) => {
          for (const stage of spec.stages) stage.pools = stage.pools.filter(({ name }) => name !== 'prod-b');
        },
        ready,
      ),
    ],
    expect: {
      conditions: RELEASED,
      also: ({ world }) =>
        world.get(AUTOSCALERS.kind, objectName('web', 'prod-b')) || deploymentsOf(world, 'web', 'prod-b').length > 0
          ? 'prod-b is left'
          : undefined,
    },
  },
  {
    name: 'autoscaler-edited-and-deleted-by-hand',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      act(
        'let the autoscaler of prod-a scale something else',
        ({ users }) => {
          users.editAutoscaler(objectName('web', 'prod-a'), { scaleTargetRef: { name: 'other' }, maxReplicas: 99 });
        },
        ready,
      ),
      wait(20),
      act('delete the autoscaler of prod-b', ({ users }) => {
        users.remove('HorizontalPodAutoscaler', objectName('web', 'prod-b'));
      }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'autoscaled-return-where-there-is-no-room',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-a', 3);
    },
    steps: [
      create(autoscaled(webSpec('1.0.0'), { capacity: 'Proceed', rollback: { warmFor: '0s', drain: '1s' } })),
      version('2.0.0', ready),
      load(
        'prod-a',
        6,
        both(ready, everywhere('2.0.0'), ({ world }) => world.list('Deployment').length === 3),
      ),
      rollback('back', both(ready, scaled(objectName('web', 'prod-a', 2), 6)), { force: true }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: sizeIs('prod-a', 6) },
    orderly: true,
  },
  {
    name: 'autoscaled-soak-goes-on',
    steps: [
      create(),
      edit(
        'autoscale canary',
        editPool('canary', (found) => {
          found.autoscaling = { minReplicas: 1, maxReplicas: 4 };
        }),
        ready,
      ),
      version('2.0.0', ready),
      load('canary', 4, both(serves(['canary', '2.0.0']), is('Ready', 'False', 'Soaking'))),
      see('it soak still', both(scaled('web-canary-2', 4), is('Ready', 'False', 'Soaking'))),
      wait(32),
      see('2.0.0 in production', ({ world }) => world.get('Deployment', objectName('web', 'prod-a', 2)) !== undefined),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: sizeIs('canary', 4) },
    orderly: true,
  },
  {
    name: 'autoscaled-release-made-again-at-once',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      act(
        'delete AppRelease web, and make it again',
        ({ users }) => {
          users.remove('AppRelease', 'web');
          users.create('web', autoscaled(webSpec('2.0.0')));
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'autoscalers-lost-their-owner',
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      act(
        'restore all from a backup, without owners',
        ({ users }) => {
          users.disown();
        },
        ready,
      ),
    ],
    expect: {
      conditions: RELEASED,
      also: ({ world }) => {
        const lost = world.list(AUTOSCALERS.kind).find(({ metadata }) => (metadata.ownerReferences ?? []).length === 0);
        return lost && `${lost.metadata.name} has no owner`;
      },
    },
  },
  {
    name: 'autoscaler-name-taken',
    prepare: ({ users }) => {
      users.createAutoscaler(objectName('web', 'prod-a'), 'something');
    },
    steps: [
      create(autoscaled(webSpec('1.0.0'))),
      act(
        'remove what has the name',
        ({ users }) => {
          users.remove('HorizontalPodAutoscaler', objectName('web', 'prod-a'));
        },
        is('Stalled', 'True', 'NameTaken'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
    orderly: true,
  },
];
