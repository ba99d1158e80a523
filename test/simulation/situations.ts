/** The situations of docs/situations.md: the steps to each, and its condition. */
import type { Condition } from '../../src/api/common.ts';
import { brokenWebhook, denial, deploymentQuota } from './admission-scenarios.ts';
import { exposed } from './exposure-scenarios.ts';
import { onFailure } from './failure-scenarios.ts';
import type { Behaviour } from './kubelet.ts';
import type { UserStep } from './scenario.ts';
import { DENIED_MEMORY, REFUSED_MEMORY } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { webSpec } from './specs.ts';
import {
  accepted,
  act,
  behaves,
  create,
  edit,
  editCanary,
  editPool,
  everywhere,
  is,
  maintained,
  manualSpec,
  promote,
  ready,
} from './steps.ts';
import { rollback, serves, started, version } from './steps.ts';
import { conditionOf, revisionsOf } from './truth.ts';
import type { WorldObject } from './world.ts';

export interface Situation {
  /** The first column of the table. */
  name: string;
  /** The object of the row. */
  object: readonly [kind: 'AppRelease' | 'ReleaseRollback' | 'ReleasePromotion', name: string];
  prepare?: (scene: Scene) => void;
  steps: readonly UserStep[];
  /** Whether the situation has occurred. Default: as soon as the last step is done, before the operator does anything. */
  when?: (scene: Scene) => boolean;
}

const WEB = ['AppRelease', 'web'] as const;

function ofReleases(situations: readonly Omit<Situation, 'object'>[]): Situation[] {
  return situations.map((situation) => ({ object: WEB, ...situation }));
}

const released = [create(), version('2.0.0', ready)];
const approvedStep = [
  create(exposed(webSpec('1.0.0'), [{ percent: 10, approval: 'Manual' }])),
  version('2.0.0', ready),
];
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
  object: WEB,
  name: 'Released: the wanted version serves in every pool',
  steps: released,
  when: all(ready, everywhere('2.0.0')),
};

export const SITUATIONS: readonly Situation[] = ofReleases([
  RELEASED,
  {
    name: 'Created, and not seen by the operator yet',
    steps: [create()],
  },
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
    name: 'A new version gets its traffic step by step',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready)],
    when: unready('Exposing'),
  },
  {
    name: 'A step of an exposure waits for an approval',
    steps: approvedStep,
    when: unready('WaitingForApproval'),
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
    name: 'The VMPool of a new version is in maintenance',
    steps: [
      create(),
      act(
        'canary is in maintenance',
        ({ users }) => {
          users.vmPool('canary', maintained('canary'));
        },
        ready,
      ),
      version('2.0.0'),
    ],
    when: unready('Maintenance'),
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
    name: 'A quota stops the next step',
    steps: [create(), deploymentQuota(3), version('2.0.0')],
    when: is('Stalled', 'True'),
  },
  {
    name: 'A webhook or a policy denies the next step',
    steps: [create(), denial(ready), version('2.0.0')],
    when: is('Stalled', 'True'),
  },
  {
    name: 'A webhook is down',
    steps: [create(), brokenWebhook(ready), version('2.0.0')],
    when: unready('WebhookUnavailable'),
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
]);

/** Whether the condition of an object has this status, and this reason if one is given. */
function says(
  [kind, name]: Situation['object'],
  type: string,
  status: string,
  reason?: string,
): (scene: Scene) => boolean {
  return ({ world }) => {
    const condition = conditionOf(world.get(kind, name), type);
    return condition?.status === status && (reason === undefined || condition.reason === reason);
  };
}

const BACK = ['ReleaseRollback', 'back'] as const;
const FIRST = ['ReleasePromotion', 'first'] as const;
const soaking = [create(manualSpec()), promote('first')];

/** ReleaseRollbacks and ReleasePromotions. */
export const REQUESTS: readonly Situation[] = [
  {
    name: 'A rollback is in progress',
    object: BACK,
    steps: coldRollback('slow'),
    when: says(BACK, 'Complete', 'False', 'InProgress'),
  },
  {
    name: 'Every pool serves the target of a rollback',
    object: BACK,
    steps: returned,
    when: says(BACK, 'Complete', 'True'),
  },
  {
    name: 'The target of a rollback does not get ready',
    object: BACK,
    steps: coldRollback('never'),
    when: says(BACK, 'Stalled', 'True'),
  },
  {
    name: 'A rollback is rejected',
    object: BACK,
    steps: [create(), rollback('back', ready, { toVersion: '9.9.9' })],
    when: says(BACK, 'Accepted', 'False'),
  },
  {
    name: 'Another rollback took over before the first was complete',
    object: BACK,
    steps: [...coldRollback('slow'), rollback('again', accepted('back'))],
    when: says(BACK, 'InForce', 'False', 'Superseded'),
  },
  {
    name: 'A rollback names an AppRelease that does not exist',
    object: BACK,
    steps: [rollback('back')],
    when: says(BACK, 'Waiting', 'True'),
  },
  {
    name: 'A promotion waits for the soak of the stage before',
    object: FIRST,
    steps: soaking,
    when: says(FIRST, 'Complete', 'False', 'Soaking'),
  },
  {
    name: 'The revision entered the stage of a promotion',
    object: FIRST,
    steps: soaking,
    when: says(FIRST, 'Complete', 'True'),
  },
  {
    name: 'The revision went on from the step of a promotion',
    object: FIRST,
    steps: [...approvedStep, promote('first', { stage: 'canary', step: 1 }, unready('WaitingForApproval'))],
    when: says(FIRST, 'Complete', 'True'),
  },
  {
    name: 'A promotion names a version that was never recorded',
    object: FIRST,
    steps: [create(manualSpec()), promote('first', { version: '9.9.9' }, unready('WaitingForApproval'))],
    when: says(FIRST, 'Accepted', 'False'),
  },
  {
    name: 'Another version is wanted before a promotion is used',
    object: FIRST,
    steps: [...soaking, version('2.0.0', says(FIRST, 'Complete', 'False', 'Soaking'))],
    when: says(FIRST, 'Accepted', 'False', 'Superseded'),
  },
  {
    name: 'A rollback keeps the version of a promotion out',
    object: FIRST,
    steps: [...returned, promote('first', {}, is('RolledBack', 'True'))],
    when: says(FIRST, 'Complete', 'False', 'HeldByRollback'),
  },
  {
    name: 'A promotion waits because the version failed, and `onFailure` is Pause',
    object: FIRST,
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      create({ ...onFailure('Pause'), ...{ stages: manualSpec().stages } }),
      promote('initial', {}, unready('WaitingForApproval')),
      version('2.0.0', ready),
      promote('first', {}, started('canary', '2.0.0')),
    ],
    when: says(FIRST, 'Complete', 'False', 'Failed'),
  },
];

export interface Seen {
  conditions: readonly Condition[];
  /** The stored object. */
  object: WorldObject;
}

/** The current status of the object of a situation. */
export function look({ object: [kind, name] }: Situation, { world }: Scene): Seen | undefined {
  const object = world.get(kind, name);
  const { conditions = [] } = (object?.status ?? {}) as { conditions?: readonly Condition[] };
  return object && { conditions, object };
}
