/** Scenarios of going back: by hand, by the operator, held, retried, refused. */
import type { Scenario, UserStep } from './scenario.ts';
import {
  behaves,
  create,
  edit,
  everywhere,
  everywhereAt,
  is,
  promote,
  ready,
  RELEASED,
  serves,
  started,
  version,
} from './scenarios.ts';
import { webSpec, workerSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import type { Scene } from './simulation.ts';
import { rollbackStatus } from './truth.ts';

type RollbackSpec = { toVersion?: string; toRevision?: number; pools?: string[]; force?: boolean };

function rollback(name: string, when?: UserStep['when'], more: RollbackSpec = {}): UserStep {
  const target = more.toVersion ?? more.toRevision ?? 'what ran last';
  return {
    say: `create ReleaseRollback ${name} to ${target}${more.pools ? ` of ${more.pools.join(', ')}` : ''}`,
    act: ({ users }) => {
      users.rollback(name, { release: 'web', reason: 'too many errors', ...more });
    },
    ...(when && { when }),
  };
}

function remove(name: string, when: UserStep['when']): UserStep {
  return {
    say: `delete ReleaseRollback ${name}`,
    act: ({ users }) => {
      users.remove('ReleaseRollback', name);
    },
    ...(when && { when }),
  };
}

function accepted(name: string): (scene: Scene) => boolean {
  return ({ world }) => rollbackStatus(world.get('ReleaseRollback', name))?.acceptedAt !== undefined;
}

function complete(name: string): (scene: Scene) => boolean {
  return ({ world }) => condition(world.get('ReleaseRollback', name), 'Complete') === 'True';
}

function rejected(name: string): (scene: Scene) => boolean {
  return ({ world }) => condition(world.get('ReleaseRollback', name), 'Accepted') === 'False';
}

function condition(object: { status?: unknown } | undefined, type: string): string | undefined {
  return (object?.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.find(
    (one) => one.type === type,
  )?.status;
}

const HELD = {
  Ready: 'False/RolledBack',
  Available: 'True',
  RolledBack: 'True',
  Reconciling: 'False',
  Stalled: 'False',
};

function onFailure(choice: 'RollbackAll' | 'RollbackPool' | 'Pause', spec: SpecDraft = webSpec('1.0.0')): SpecDraft {
  return { ...spec, rollback: { ...spec.rollback, onFailure: choice } };
}

/** Ready at first, later nowhere. */
function fadesInProduction({ cluster }: Scene): void {
  cluster.kubelet.behaviours.set('2.0.0', 'never');
}

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
    name: 'failing-version',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'crashing-version-then-a-fix',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(), version('2.0.0', ready), version('2.0.1', is('RolledBack', 'True'))],
    expect: { serves: everywhereAt('2.0.1'), conditions: RELEASED },
  },
  {
    name: 'missing-image-then-the-retry',
    prepare: behaves('2.0.0', 'missing'),
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'the image is pushed again',
        when: is('RolledBack', 'True'),
        act: ({ cluster }) => {
          cluster.kubelet.behaviours.delete('2.0.0');
        },
      },
      promote('again', { version: '2.0.0', stage: 'canary' }),
      promote('onwards', { version: '2.0.0' }, serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'fails-in-production',
    steps: [
      create(),
      version('2.0.0', ready),
      { say: '2.0.0 will not get ready any more', when: serves(['canary', '2.0.0']), act: fadesInProduction },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'fails-in-production-one-pool-back',
    steps: [
      create(onFailure('RollbackPool')),
      version('2.0.0', ready),
      { say: '2.0.0 will not get ready any more', when: serves(['canary', '2.0.0']), act: fadesInProduction },
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: { RolledBack: 'True', Ready: 'False' },
    },
    orderly: true,
  },
  {
    name: 'failing-version-pauses',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(onFailure('Pause')), version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/Failed', Stalled: 'True', Available: 'True', RolledBack: 'False' },
      leftovers: true,
    },
  },
  {
    name: 'first-version-fails',
    prepare: behaves('1.0.0', 'crash'),
    steps: [create(), version('2.0.0', is('Stalled', 'True'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'failing-workers',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(workerSpec('1.0.0')), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'flapping-version',
    prepare: behaves('2.0.0', 'flapping'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'fading-version',
    prepare: behaves('2.0.0', 'fading'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'node-lost-is-no-failure',
    steps: [
      create(),
      {
        say: 'a VM of canary-1 and canary-2 is lost',
        when: ready,
        act: ({ users }) => {
          for (const name of ['canary-1', 'canary-2']) users.node(name, false);
        },
      },
      version('2.0.0'),
      {
        say: 'the VMs are back',
        after: 400_000,
        act: ({ users }) => {
          for (const name of ['canary-1', 'canary-2']) users.node(name, true);
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
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
];
