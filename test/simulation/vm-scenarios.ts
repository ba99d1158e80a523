/** Scenarios with the VMs of a release: too little room, maintenance, VMPools. */
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { pool, webSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import { HELD, RELEASED, act, behaves, create, everywhereAt, is, ready, started, version, wait } from './steps.ts';
import { deploymentsOf } from './truth.ts';
import { labelOf } from './world.ts';

function room(name: string, pods: number, when?: UserStep['when']): UserStep {
  return act(
    `a VM of ${name} takes ${pods} pods`,
    ({ users }) => {
      users.room(name, pods);
    },
    when,
  );
}

function cordon(name: string, cordoned: boolean, when?: UserStep['when']): UserStep {
  return act(
    `${cordoned ? 'cordon' : 'uncordon'} ${name}`,
    ({ users }) => {
      users.cordon(name, cordoned);
    },
    when,
  );
}

function vmPool(name: string, label: string, when?: UserStep['when']): UserStep {
  return act(
    `VMPool ${name} is pool=${label}`,
    ({ users }) => {
      users.vmPool(name, { nodeSelector: { pool: label } });
    },
    when,
  );
}

/** The canary pool uses the VMPool of its name. */
function namedSpec(tag: string): SpecDraft {
  const spec = webSpec(tag);
  const [canary] = spec.stages;
  if (canary) canary.pools = [{ name: 'canary', replicas: 1 }];
  return spec;
}

function prepulled(tag: string): SpecDraft {
  const spec = webSpec(tag);
  return { ...spec, stages: spec.stages.map((stage) => ({ ...stage, prepull: stage.name === 'production' })) };
}

const DO_NOT_DISRUPT = 'karpenter.sh/do-not-disrupt';

function holdsVms(tag: string): (scene: Scene) => boolean {
  return ({ world }) =>
    world
      .list('Pod')
      .some(
        ({ metadata, spec }) => metadata.annotations?.[DO_NOT_DISRUPT] === 'true' && JSON.stringify(spec).includes(tag),
      );
}

function placedOn(label: string): (scene: Scene) => boolean {
  return ({ world }) =>
    deploymentsOf(world, 'web', 'canary').some(({ spec }) =>
      JSON.stringify(spec).includes(`"nodeSelector":{"pool":"${label}"}`),
    );
}

export const VMS: readonly Scenario[] = [
  {
    name: 'no-room-keeps-a-version-out',
    prepare: ({ users }) => {
      users.room('prod-b', 1);
    },
    steps: [create(), version('2.0.0', ready), room('prod-b', 2, is('CapacityAvailable', 'False', 'NoCapacity'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'no-room-and-proceed',
    prepare: ({ users }) => {
      users.room('prod-b', 1);
    },
    steps: [
      create({ ...webSpec('1.0.0'), capacity: 'Proceed' }),
      version('2.0.0', ready),
      room('prod-b', 2, started('prod-b', '2.0.0')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'no-room-and-a-rollback',
    prepare: ({ users }) => {
      users.room('prod-b', 1);
    },
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'roll back',
        ({ users }) => {
          users.rollback('back', { release: 'web', reason: 'no room' });
        },
        is('CapacityAvailable', 'False', 'NoCapacity'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'a-drained-vm-keeps-a-version-out',
    prepare: ({ users }) => {
      users.room('prod-a', 3);
    },
    steps: [
      create(),
      cordon('prod-a-1', true, ready),
      version('2.0.0'),
      cordon('prod-a-1', false, is('Ready', 'False', 'VMsUnavailable')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'a-forgotten-cordon-keeps-nothing-out',
    prepare: ({ users }) => {
      users.room('prod-a', 3);
    },
    steps: [
      create(),
      cordon('prod-a-1', true, ready),
      version('2.0.0'),
      act('wait until the version waits', () => undefined, is('Ready', 'False', 'VMsUnavailable')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'a-vm-that-stays-lost-keeps-nothing-out',
    steps: [
      create(),
      act(
        'a VM of canary-1 is lost for good',
        ({ users }) => {
          users.node('canary-1', false);
        },
        ready,
      ),
      version('2.0.0'),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'never-ready-on-a-cordoned-vm-is-no-failure',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create({ ...webSpec('1.0.0'), capacity: 'Proceed' }),
      version('2.0.0', ready),
      cordon('canary-1', true, started('canary', '2.0.0')),
      cordon('canary-2', true),
      wait(200),
      cordon('canary-1', false, is('Ready', 'False', 'Progressing')),
      cordon('canary-2', false),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'standby-gives-way-to-what-is-served',
    prepare: ({ users }) => {
      users.room('prod-a', 2);
    },
    steps: [
      create({ ...webSpec('1.0.0'), rollback: { warmFor: '20m', drain: '10s' } }),
      version('2.0.0', ready),
      act(
        'VM prod-a-1 is lost for good',
        ({ users, world }) => {
          users.node('prod-a-1', false);
          for (const { metadata, spec } of world.list('Pod')) {
            if ((spec as { nodeName?: string }).nodeName === 'prod-a-1') users.remove('Pod', metadata.name);
          }
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: { Available: 'True', CapacityAvailable: 'True' } },
    orderly: true,
  },
  {
    name: 'vmpool-names-the-vms',
    steps: [
      create(namedSpec('1.0.0')),
      vmPool('canary', 'canary', is('Stalled', 'True', 'UnknownPool')),
      version('2.0.0', ready),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'vmpool-moves',
    prepare: ({ users }) => {
      users.vmPool('canary', { nodeSelector: { pool: 'canary' } });
    },
    steps: [
      create(namedSpec('1.0.0')),
      vmPool('canary', 'prod-c', ready),
      act('see the new place', () => undefined, placedOn('prod-c')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'images-before-a-stage-is-entered',
    steps: [create(prepulled('1.0.0')), version('2.0.0', ready), version('3.0.0', ready)],
    expect: {
      serves: everywhereAt('3.0.0'),
      conditions: RELEASED,
      also: ({ world }) => {
        const left = world.list('Pod').filter((pod) => labelOf(pod, 'pull') !== undefined);
        return left.length === 0 ? undefined : 'pods that pull are left';
      },
    },
  },
  {
    name: 'images-that-do-not-come-keep-nothing-out-for-ever',
    steps: [
      create(prepulled('1.0.0')),
      act(
        'VMs of prod-a take no more pods, and do not say so',
        ({ cluster }) => {
          cluster.kubelet.capacity.set('prod-a', 1);
        },
        ready,
      ),
      version('2.0.0'),
      room('prod-a', 110, started('prod-a', '2.0.0')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'vms-are-held-while-a-version-rolls',
    steps: [
      create({ ...webSpec('1.0.0'), disruption: { holdVMs: true } }),
      version('2.0.0', ready),
      act('see the VMs of its pods held', () => undefined, holdsVms('2.0.0')),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: ({ world }) =>
        world.list('Pod').some(({ metadata }) => metadata.annotations?.[DO_NOT_DISRUPT] !== undefined)
          ? 'a VM is still held'
          : undefined,
    },
    orderly: true,
  },
  {
    name: 'two-pools-on-the-same-vms',
    prepare: ({ users }) => {
      users.room('prod-a', 4);
    },
    steps: [
      create({
        ...webSpec('1.0.0'),
        stages: [
          { name: 'canary', pools: [pool('canary', 1)] },
          {
            name: 'production',
            pools: [pool('prod-a', 2), { ...pool('prod-b', 2), nodeSelector: { pool: 'prod-a' } }],
          },
        ],
      }),
      version('2.0.0', ready),
      version('3.0.0', ready),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
];
