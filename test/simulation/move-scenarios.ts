/** Scenarios with replaced VMs: moves, and the placement of rollbacks. */
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { webSpec, workerSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import {
  HELD,
  RELEASED,
  act,
  behaves,
  create,
  edit,
  editPool,
  everywhere,
  everywhereAt,
  is,
  ready,
  rollback,
  serves,
  version,
  wait,
} from './steps.ts';
import { deploymentsOf, endingPods, poolsOf, readyOf, servedDeployment, specOf } from './truth.ts';
import { addNodes } from './users.ts';

/** One commit with another version and other VMs for a pool. */
function versionOnOtherVms(tag: string, name: string, when: UserStep['when']): UserStep {
  return edit(
    `version ${tag}, with ${name} on the VMs of prod-c`,
    (spec) => {
      spec.version = tag;
      for (const container of spec.template.spec.containers) container.image = `registry.test/web:${tag}`;
      onOtherVms(name)(spec);
    },
    when,
  );
}

function onOtherVms(name: string): (spec: SpecDraft) => void {
  return editPool(name, (found) => {
    found.nodeSelector = { pool: 'prod-c' };
  });
}

function loseVms(pool: string, when?: UserStep['when']): UserStep {
  return act(
    `the VMs of ${pool} are deleted`,
    ({ users }) => {
      users.loseVms(pool);
    },
    when,
  );
}

function warm(warmFor: string): SpecDraft {
  return { ...webSpec('1.0.0'), rollback: { warmFor, drain: '10s' } };
}

/** Uses the VMs of prod-c instead of those of prod-a. */
function moveProdA(when: UserStep['when']): UserStep {
  return edit('prod-a goes to the VMs of prod-c', onOtherVms('prod-a'), when);
}

/** Drains the old VMs, which a budget may refuse, and deletes them when they are empty. */
const drainProdA = act('drain the VMs of prod-a', ({ users }) => {
  users.drain('prod-a');
});

const LOST = new WeakMap<Scene, string>();

/** Records times without a ready pod behind prod-a, after it had one. */
function isServedThroughout(scene: Scene): void {
  const { world } = scene;
  let begun = false;
  world.onWrite(() => {
    const pool = poolsOf('web', specOf(world.get('AppRelease', 'web'))).find(({ name }) => name === 'prod-a');
    const served = pool && servedDeployment(world, 'web', pool);
    const isServed = served !== undefined && readyOf(world, served).length > 0;
    begun ||= isServed;
    if (begun && !isServed) LOST.set(scene, `prod-a had no ready pod at ${world.timestamp()}`);
  });
}

/** The pods are on the new VMs, the old VMs are deleted, and the pool was always served. */
function hasMoved(scene: Scene): string | undefined {
  const { world } = scene;
  const nodes = world.list('Node').filter(({ metadata }) => metadata.labels?.pool === 'prod-a');
  if (nodes.length > 0) return 'the VMs of prod-a are not drained';
  if (endingPods(world).length > 0) return 'pods are left on their way out';
  return LOST.get(scene);
}

/** Ways to keep version 2.0.0 out of production while 1.0.0 serves there. */
const WAITS: readonly {
  name: string;
  spec?: (spec: SpecDraft) => void;
  prepare?: NonNullable<Scenario['prepare']>;
  steps: readonly UserStep[];
  /** The version waits now. */
  when: NonNullable<UserStep['when']>;
  production: string;
  canary?: string;
  conditions: Record<string, string>;
}[] = [
  {
    name: 'a-rollback',
    steps: [version('2.0.0', ready), rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene))],
    when: is('RolledBack', 'True'),
    production: '1.0.0',
    conditions: HELD,
  },
  {
    name: 'an-approval',
    spec: (spec) => {
      for (const stage of spec.stages) if (stage.name === 'production') stage.approval = 'Manual';
    },
    steps: [
      act(
        'approve 1.0.0',
        ({ users }) => {
          users.promote('first', { release: 'web', stage: 'production' });
        },
        is('Ready', 'False', 'WaitingForApproval'),
      ),
      version('2.0.0', ready),
    ],
    when: is('Ready', 'False', 'WaitingForApproval'),
    production: '1.0.0',
    canary: '2.0.0',
    conditions: { Ready: 'False/WaitingForApproval', Available: 'True' },
  },
  {
    name: 'an-unhealthy-canary',
    prepare: behaves('2.0.0', 'fading'),
    steps: [version('2.0.0', ready)],
    when: (scene) => serves(['canary', '2.0.0'])(scene) && is('Available', 'False')(scene),
    production: '1.0.0',
    conditions: HELD,
  },
  {
    name: 'a-pause',
    steps: [
      act(
        'pause',
        ({ users }) => {
          users.pause('web', 'freeze');
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: is('Ready', 'False', 'Paused'),
    production: '1.0.0',
    conditions: { Ready: 'False/Paused', Available: 'True' },
  },
  {
    name: 'a-failure',
    prepare: behaves('2.0.0', 'crash'),
    spec: (spec) => {
      spec.rollback = { ...spec.rollback, onFailure: 'Pause' };
    },
    steps: [version('2.0.0', ready)],
    when: is('Stalled', 'True'),
    production: '1.0.0',
    conditions: { Stalled: 'True/Failed', Available: 'True' },
  },
];

function followsVms(kind: string, base: (version: string) => SpecDraft): Scenario[] {
  return WAITS.map(({ name, spec: change, prepare, steps, when, production, canary = production, conditions }) => {
    const spec = base('1.0.0');
    change?.(spec);
    return {
      name: `what-serves-follows-its-vms-beside-${name}-${kind}`,
      prepare: (scene) => {
        prepare?.(scene);
        isServedThroughout(scene);
      },
      steps: [create(spec), ...steps, moveProdA(when), drainProdA, wait(120)],
      expect: {
        serves: {
          'prod-a': production,
          'prod-b': production,
          ...(kind === 'blue-green' && { canary }),
        },
        conditions: { ...conditions, Placed: 'True' },
        leftovers: true,
        also: hasMoved,
      },
      orderly: true,
    };
  });
}

export const MOVES: readonly Scenario[] = [
  ...followsVms('blue-green', webSpec),
  ...followsVms('in-place', workerSpec),
  {
    name: 'a-vmpool-moves-what-is-held',
    prepare: ({ users }) => {
      users.vmPool('canary', { nodeSelector: { pool: 'canary' } });
    },
    steps: [
      create({ ...webSpec('1.0.0'), stages: webSpec('1.0.0').stages.map(named) }),
      version('2.0.0', ready),
      rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene)),
      act(
        'VMPool canary is pool=prod-c',
        ({ users }) => {
          users.vmPool('canary', { nodeSelector: { pool: 'prod-c' } });
        },
        is('Reconciling', 'False'),
      ),
      act('drain the VMs of canary', ({ users }) => {
        users.drain('canary');
      }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: { ...HELD, Placed: 'True' } },
    orderly: true,
  },
  {
    name: 'a-move-that-finds-no-room-waits-and-holds-nobody-back',
    prepare: ({ users }) => {
      users.room('prod-c', 0);
    },
    steps: [
      create(),
      edit(
        'canary goes to full VMs, prod-b to those of prod-a',
        (spec) => {
          for (const stage of spec.stages)
            for (const found of stage.pools) {
              if (found.name === 'canary') found.nodeSelector = { pool: 'prod-c' };
              if (found.name === 'prod-b') found.nodeSelector = { pool: 'prod-a' };
            }
        },
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Placed: 'False/NoCapacity', CapacityAvailable: 'False/NoCapacity', Ready: 'False/NoCapacity' },
      also: ({ world }) => {
        const on = deploymentsOf(world, 'web', 'prod-b').map(({ spec }) => JSON.stringify(spec));
        return on.length === 1 && on[0]?.includes('"nodeSelector":{"pool":"prod-a"}')
          ? undefined
          : 'prod-b has not moved';
      },
    },
  },
  {
    name: 'a-move-that-does-not-get-ready-is-told-and-marks-nothing',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-c', 0);
    },
    steps: [create(), moveProdA(ready), wait(300)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Placed: 'False/MoveNotReady', Ready: 'False/MoveNotReady', Available: 'True', RolledBack: 'False' },
      leftovers: true,
    },
    orderly: true,
  },
  {
    name: 'version-and-vms-in-one-commit-are-one-move-each',
    steps: [create(), versionOnOtherVms('2.0.0', 'prod-a', ready), wait(60), drainProdA],
    expect: { serves: everywhereAt('2.0.0'), conditions: { ...RELEASED, Placed: 'True' }, also: hasMoved },
    orderly: true,
  },
  {
    name: 'rollback-whose-vms-are-gone',
    steps: [
      create(warm('20m')),
      versionOnOtherVms('2.0.0', 'canary', ready),
      loseVms('canary', ready),
      rollback('back'),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'rollback-finds-no-vm-until-somebody-brings-one',
    steps: [
      create(warm('20m')),
      versionOnOtherVms('2.0.0', 'canary', ready),
      loseVms('canary', ready),
      loseVms('prod-c'),
      rollback('back'),
      act(
        'VMs for canary come',
        ({ world }) => {
          addNodes(world, 'prod-c', 2);
        },
        is('Stalled', 'True', 'RollbackFailed'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'standby-whose-vms-are-gone',
    steps: [create(warm('24h')), versionOnOtherVms('2.0.0', 'canary', ready), loseVms('canary', ready), wait(60)],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: { Ready: 'True', CapacityAvailable: 'True' },
      leftovers: true,
      also: ({ world }) => {
        const left = deploymentsOf(world, 'web', 'canary').length;
        return left === 1 ? undefined : `${left} Deployments of canary are left`;
      },
    },
    orderly: true,
  },
];

/** The pool uses the VMPool of its name. */
function named(stage: SpecDraft['stages'][number]): SpecDraft['stages'][number] {
  return stage.name === 'canary' ? { ...stage, pools: [{ name: 'canary', replicas: 1 }] } : stage;
}
