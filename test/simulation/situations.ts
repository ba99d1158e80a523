/** The situations of docs/situations.md: the steps to each, and its condition. */
import type { AppReleaseStatus } from '../../src/api/app-release.ts';
import type { Condition } from '../../src/api/common.ts';
import { onFailure } from './failure-scenarios.ts';
import type { Behaviour } from './kubelet.ts';
import type { UserStep } from './scenario.ts';
import { DENIED_MEMORY, REFUSED_MEMORY } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { webSpec } from './specs.ts';
import {
  act,
  behaves,
  create,
  edit,
  editCanary,
  editPool,
  everywhere,
  is,
  manualSpec,
  promote,
  ready,
} from './steps.ts';
import { rollback, serves, started, version } from './steps.ts';
import { revisionsOf } from './truth.ts';

export interface Situation {
  /** The first column of the table. */
  name: string;
  prepare?: (scene: Scene) => void;
  steps: readonly UserStep[];
  /** Whether the situation has occurred. */
  when: (scene: Scene) => boolean;
}

const released = [create(), version('2.0.0', ready)];
const returned = [...released, rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene))];

/** A rollback to a version without pods, which then behaves differently. */
function coldRollback(behaviour: Behaviour): UserStep[] {
  return [
    create({ ...webSpec('1.0.0'), rollback: { warmFor: '0s', drain: '1s' } }),
    version('2.0.0', ready),
    act(
      `1.0.0 is ${behaviour} from now on`,
      (scene) => {
        behaves('1.0.0', behaviour)?.(scene);
      },
      all(ready, everywhere('2.0.0')),
    ),
    rollback('back', ({ world }) => world.list('Deployment').length === 3),
  ];
}

function setMemory(memory: string): UserStep {
  return edit(
    `version 2.0.0 with ${memory} of memory`,
    (spec) => {
      spec.version = '2.0.0';
      const resources = { limits: { memory } };
      spec.template.spec.containers = [{ name: 'web', image: 'registry.test/web:2.0.0', resources }];
    },
    ready,
  );
}

function pause(reason: string, when: UserStep['when']): UserStep {
  return act(
    `pause: ${reason}`,
    ({ users }) => {
      users.pause('web', reason);
    },
    when,
  );
}

/** A spec with prepull in the canary stage. */
function pulled(): SpecDraft {
  const spec = webSpec('1.0.0');
  for (const stage of spec.stages) stage.prepull = stage.name === 'canary';
  return spec;
}

function noReplicas(): UserStep {
  return edit(
    'set 0 replicas in canary',
    editCanary(({ pools }) => {
      for (const found of pools) found.replicas = 0;
    }),
    ready,
  );
}

/** All of these conditions. */
function all(...wanted: ((scene: Scene) => boolean)[]): (scene: Scene) => boolean {
  return (scene) => wanted.every((one) => one(scene));
}

function unready(reason: string): (scene: Scene) => boolean {
  return is('Ready', 'False', reason);
}

export const RELEASED: Situation = {
  name: 'Released: the wanted version serves in every pool',
  steps: released,
  when: all(ready, everywhere('2.0.0')),
};

export const SITUATIONS: readonly Situation[] = [
  RELEASED,
  {
    name: 'The first version starts',
    steps: [create()],
    when: unready('Progressing'),
  },
  {
    name: 'A new version starts in a stage',
    steps: released,
    when: all(unready('Progressing'), started('canary', '2.0.0')),
  },
  {
    name: 'The previous stage soaks',
    steps: released,
    when: unready('Soaking'),
  },
  {
    name: 'The version waits for an approval',
    steps: [create(manualSpec()), promote('first', {}, unready('WaitingForApproval')), version('2.0.0', ready)],
    when: unready('WaitingForApproval'),
  },
  {
    name: 'The previous stage has no replicas',
    steps: [create(), noReplicas(), version('2.0.0')],
    when: unready('ProvesNothing'),
  },
  {
    name: 'Paused during a rollout',
    steps: [...released, pause('incident 42', serves(['canary', '2.0.0']))],
    when: all(unready('Paused'), is('Paused', 'True')),
  },
  {
    name: 'Paused, with nothing to do',
    steps: [create(), pause('freeze', ready)],
    when: is('Paused', 'True'),
  },
  {
    name: 'The registry of a new version is down',
    steps: [
      create(),
      act(
        'the registry goes down',
        ({ registry }) => {
          registry.up = false;
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: unready('ResolvingDigests'),
  },
  {
    name: 'Pods of a new version find no room',
    steps: [
      create(),
      act(
        'canary is full',
        ({ cluster }) => {
          cluster.kubelet.capacity.set('canary', 0);
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: is('CapacityAvailable', 'False'),
  },
  {
    name: 'The VMs have no room for a new version',
    steps: [
      create(),
      act(
        'the VMs of canary say that they are full',
        ({ users }) => {
          users.room('canary', 1);
        },
        ready,
      ),
      edit('version 2.0.0, with three pods in canary', (spec) => {
        spec.version = '2.0.0';
        editPool('canary', (pool) => {
          pool.replicas = 3;
        })(spec);
      }),
    ],
    when: unready('NoCapacity'),
  },
  {
    name: 'A VM is drained in the pool of a new version',
    steps: [
      act('a VM of canary takes one pod', ({ users }) => {
        users.room('canary', 1);
      }),
      create(),
      act(
        'cordon canary-1',
        ({ users }) => {
          users.cordon('canary-1', true);
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: unready('VMsUnavailable'),
  },
  {
    name: 'The VMs pull the images of a new version first',
    steps: [create(pulled()), version('2.0.0', ready)],
    when: unready('PullingImages'),
  },
  {
    name: 'Every pod of a pool is lost',
    steps: [
      create(),
      act(
        'the pod of canary is not ready',
        ({ users }) => {
          users.flip('web', 'canary', false);
        },
        ready,
      ),
    ],
    when: is('Available', 'False'),
  },
  {
    name: 'A rollback is in progress',
    steps: coldRollback('slow'),
    when: is('Reconciling', 'True', 'RolledBack'),
  },
  {
    name: 'A person’s rollback holds',
    steps: returned,
    when: all(is('RolledBack', 'True'), is('Reconciling', 'False')),
  },
  {
    name: 'A version failed and was rolled back',
    prepare: behaves('2.0.0', 'crash'),
    steps: released,
    when: all(is('RolledBack', 'True'), is('Reconciling', 'False')),
  },
  {
    name: 'A rolled-back version is edited',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      ...released,
      edit(
        'add an annotation',
        (spec) => {
          spec.template.metadata = { annotations: { 'example.com/edited': 'yes' } };
        },
        is('RolledBack', 'True'),
      ),
    ],
    when: all(
      is('RolledBack', 'True'),
      is('Reconciling', 'False'),
      ({ world }) => revisionsOf(world, 'web').length > 2,
    ),
  },
  {
    name: 'A version failed, and `onFailure` is Pause',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(onFailure('Pause')), version('2.0.0', ready)],
    when: is('Stalled', 'True'),
  },
  {
    name: 'The first version failed',
    prepare: behaves('1.0.0', 'crash'),
    steps: [create()],
    when: is('Stalled', 'True'),
  },
  {
    name: 'The target of a rollback fails too',
    steps: coldRollback('never'),
    when: is('Stalled', 'True', 'RollbackFailed'),
  },
  {
    name: 'The spec is not valid',
    steps: [
      create(),
      edit(
        'no nodeSelector in prod-a',
        editPool('prod-a', (found) => {
          delete found.nodeSelector;
        }),
        ready,
      ),
    ],
    when: is('Stalled', 'True'),
  },
  {
    name: 'Kubernetes refuses the template',
    steps: [create(), setMemory(REFUSED_MEMORY)],
    when: is('Stalled', 'True'),
  },
  {
    name: 'The API server refuses the next step',
    steps: [create(), setMemory(DENIED_MEMORY)],
    when: is('Stalled', 'True'),
  },
  {
    name: 'An image is not in its registry',
    steps: [
      create(),
      act(
        'no tag is known any more',
        ({ registry }) => {
          registry.resolve = (image) => ({ state: 'failed', reason: 'NotFound', message: image, retryable: true });
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: is('Stalled', 'True'),
  },
  {
    name: 'A name of the first version belongs to somebody else',
    prepare: ({ users }) => {
      users.createService('web-prod-a', false);
    },
    steps: [create()],
    when: is('Stalled', 'True', 'NameTaken'),
  },
];

export interface Seen {
  conditions: readonly Condition[];
  /** The stored object. */
  release: object;
}

/** The current status of the release. */
export function look({ world }: Scene): Seen | undefined {
  const release = world.get('AppRelease', 'web');
  const { conditions = [] } = (release?.status ?? {}) as AppReleaseStatus;
  return release && { conditions, release };
}
