/** Scenarios with manual rollbacks: held, superseded, retried, refused. */
import type { Scenario } from './scenario.ts';
import { pool, webSpec, workerSpec } from './specs.ts';
import {
  accepted,
  HELD,
  RELEASED,
  act,
  behaves,
  complete,
  create,
  edit,
  everywhere,
  everywhereAt,
  is,
  promote,
  ready,
  rejected,
  remove,
  rollback,
  serves,
  started,
  version,
} from './steps.ts';
import { conditionOf, rollbackStatus } from './truth.ts';

export const ROLLBACK: readonly Scenario[] = [
  {
    name: 'rollback-by-hand',
    steps: [create(), version('2.0.0', ready), rollback('back', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-to-a-version',
    steps: [
      create(),
      version('2.0.0', ready),
      version('3.0.0', ready),
      rollback('back', ready, { toVersion: '1.0.0' }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-of-one-pool',
    steps: [create(), version('2.0.0', ready), rollback('back', ready, { pools: ['prod-a'] })],
    expect: {
      serves: { ...everywhereAt('2.0.0'), 'prod-a': '1.0.0' },
      conditions: { Ready: 'False', Available: 'True', RolledBack: 'True' },
    },
  },
  {
    name: 'rollback-during-a-promotion',
    steps: [create(), version('2.0.0', ready), rollback('back', started('prod-a', '2.0.0'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-during-a-rollback',
    steps: [
      create(),
      version('2.0.0', ready),
      version('3.0.0', ready),
      rollback('first', ready),
      rollback('second', accepted('first'), { toVersion: '1.0.0' }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-while-paused-and-stalled',
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'pause: freeze',
        when: ready,
        act: ({ users }) => {
          users.pause('web', 'freeze');
        },
      },
      edit('a port that no container has', (spec) => {
        spec.service = { ports: [{ port: 80, targetPort: 'nope' } as never] };
      }),
      rollback('back', is('Stalled', 'True')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: { Available: 'True', RolledBack: 'True', Ready: 'False' } },
  },
  {
    name: 'rollback-then-a-newer-version',
    steps: [create(), version('2.0.0', ready), rollback('back', ready), version('3.0.0', complete('back'))],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
  {
    name: 'rollback-then-the-retry',
    steps: [
      create(),
      version('2.0.0', ready),
      rollback('back', ready),
      promote('again-canary', { version: '2.0.0', stage: 'canary' }, complete('back')),
      promote('again', { version: '2.0.0' }, serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'rollback-deleted',
    steps: [create(), version('2.0.0', ready), rollback('back', ready), remove('back', complete('back'))],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/WaitingForApproval', Available: 'True', RolledBack: 'False' },
    },
  },
  {
    name: 'rollback-to-what-never-ran',
    steps: [
      create(),
      version('2.0.0', ready),
      rollback('back', ready, { toVersion: '9.9.9' }),
      { say: 'note the refusal', when: rejected('back'), act: () => undefined },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'rollback-behind-a-barrier',
    steps: [
      create(),
      edit(
        'version 2.0.0, a barrier',
        (spec) => {
          spec.version = '2.0.0';
          spec.template.spec.containers = [{ name: 'web', image: 'registry.test/web:2.0.0' }];
          spec.rollback = { ...spec.rollback, barrier: true };
        },
        ready,
      ),
      rollback('refused', ready),
      rollback('forced', rejected('refused'), { force: true }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-when-cold',
    steps: [create(), version('2.0.0', ready), { ...rollback('back', ready), after: 1_000_000 }],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-of-workers',
    steps: [create(workerSpec('1.0.0')), version('2.0.0', ready), rollback('back', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-without-room',
    prepare: ({ cluster }) => {
      for (const pool of ['prod-a', 'prod-b']) cluster.kubelet.capacity.set(pool, 2);
    },
    steps: [create(), version('2.0.0', ready), { ...rollback('back', ready), after: 1_000_000 }],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-and-registry-down',
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'the registry goes down',
        when: everywhere('2.0.0'),
        act: ({ registry, cluster }) => {
          registry.up = false;
          cluster.kubelet.registry.up = false;
        },
      },
      rollback('back', everywhere('2.0.0')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'rollback-deleted-before-it-got-anywhere',
    steps: [
      create(),
      version('2.0.0', ready),
      { ...rollback('back', ready), after: 1_000_000 },
      remove('back', accepted('back')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'rollback-where-a-pool-has-nowhere-to-go',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'add pool prod-c',
        (spec) => {
          spec.stages[1]?.pools.push(pool('prod-c', 1));
        },
        ready,
      ),
      act(
        'the pod of prod-c is not ready any more',
        ({ users }) => {
          users.flip('web', 'prod-c', false);
        },
        (scene) => ready(scene) && serves(['prod-c', '2.0.0'])(scene),
      ),
      rollback('back'),
      act('wait until the rollback is complete', () => undefined, complete('back')),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), 'prod-c': '2.0.0' },
      conditions: { Ready: 'False/RolledBack', Available: 'False', Stalled: 'True/RolledBack' },
    },
    orderly: true,
  },
  {
    name: 'rollback-that-fails-is-said-in-time',
    steps: [
      create(),
      version('2.0.0', ready),
      { ...act('1.0.0 gets ready nowhere any more', behaves('1.0.0', 'never') ?? (() => undefined)), after: 1_000_000 },
      rollback('back', ready),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: { Stalled: 'True/RollbackFailed', Available: 'True', RolledBack: 'True' },
      also: ({ world }) => {
        const accepted = Date.parse(rollbackStatus(world.get('ReleaseRollback', 'back'))?.acceptedAt ?? '');
        const told = Date.parse(conditionOf(world.get('AppRelease', 'web'), 'Stalled')?.lastTransitionTime ?? '');
        return told - accepted <= 65_000 ? undefined : `told ${(told - accepted) / 1000} s after it was accepted`;
      },
    },
  },
  {
    name: 'rollback-then-a-version-between',
    steps: [
      create(),
      version('2.0.0', ready),
      version('3.0.0', ready),
      rollback('back', ready, { toVersion: '1.0.0' }),
      version('2.0.0', complete('back')),
      act(
        'wait until it soaks',
        () => undefined,
        (scene) =>
          is('Ready', 'False', 'Soaking')(scene) &&
          serves(['canary', '2.0.0'], ['prod-a', '1.0.0'], ['prod-b', '1.0.0'])(scene),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'rollback-to-what-is-no-worse',
    steps: [
      create({ ...webSpec('1.0.0'), rollback: { drain: '10s', warmFor: '10m', warmReplicas: '50%' } }),
      version('2.0.0', ready),
      {
        ...act('1.0.0 starts nowhere any more, and a pod of prod-a is not ready', (scene) => {
          scene.cluster.kubelet.behaviours.set('1.0.0', 'never');
          scene.users.flip('web', 'prod-a', false);
        }),
        after: 60_000,
      },
      rollback('back', undefined, { pools: ['prod-a'] }),
      act('wait until the rollback is complete with one pod', () => undefined, complete('back')),
    ],
    expect: { serves: { ...everywhereAt('2.0.0'), 'prod-a': '1.0.0' } },
    orderly: true,
  },
  {
    name: 'rollback-into-a-full-pool',
    steps: [
      create(),
      version('2.0.0', ready),
      {
        ...act('the VMs of prod-a are full, and a pod there is not ready', ({ cluster, users }) => {
          cluster.kubelet.capacity.set('prod-a', 1);
          users.flip('web', 'prod-a', false);
        }),
        after: 1_000_000,
      },
      rollback('back'),
      act('wait until the rollback is complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
];
