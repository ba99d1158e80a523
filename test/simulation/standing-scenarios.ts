/** Scenarios in which the serving revision is kept while the next version is stuck. */
import { LABEL } from '../../src/api/meta.ts';
import { onFailure } from './failure-scenarios.ts';
import { deploymentSpec } from './pods.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { webSpec } from './specs.ts';
import {
  RELEASED,
  act,
  behaves,
  create,
  edit,
  editPool,
  everywhereAt,
  is,
  ready,
  serves,
  started,
  version,
  wait,
} from './steps.ts';
import { deploymentsOf } from './truth.ts';
import { objectName } from '../../src/release/record/names.ts';

const FAILED = { Ready: 'False/Failed', Stalled: 'True', Available: 'True' };

function scaled(deployment: string, replicas: number): (scene: Scene) => boolean {
  return ({ world }) => {
    const found = world.get('Deployment', deployment);
    return found !== undefined && deploymentSpec(found).replicas === replicas;
  };
}

function setReplicas(name: string, replicas: number, when?: UserStep['when']): UserStep {
  return edit(
    `set ${replicas} replicas in ${name}`,
    editPool(name, (found) => {
      found.replicas = replicas;
    }),
    when,
  );
}

/** 2.0.0 never becomes ready, and the release waits for a person. */
const STUCK = {
  prepare: behaves('2.0.0', 'never'),
  steps: [create(onFailure('Pause')), version('2.0.0', ready)],
  expect: { serves: everywhereAt('1.0.0'), conditions: FAILED, leftovers: true },
} satisfies Omit<Scenario, 'name'>;

const stuck = is('Stalled', 'True', 'Failed');

export const STANDING: readonly Scenario[] = [
  {
    ...STUCK,
    name: 'served-deployment-deleted',
    steps: [
      ...STUCK.steps,
      act(
        'delete Deployment web-canary-1',
        ({ users }) => {
          users.remove('Deployment', 'web-canary-1');
        },
        stuck,
      ),
    ],
  },
  {
    ...STUCK,
    name: 'served-service-deleted',
    steps: [
      ...STUCK.steps,
      act(
        'delete Service web-canary',
        ({ users }) => {
          users.remove('Service', 'web-canary');
        },
        stuck,
      ),
    ],
  },
  {
    ...STUCK,
    name: 'served-service-edited',
    steps: [
      ...STUCK.steps,
      act(
        'edit the selector of web-canary',
        ({ users }) => {
          users.editService('web-canary', { selector: { [LABEL.track]: null, app: 'other' } });
        },
        stuck,
      ),
    ],
  },
  {
    ...STUCK,
    name: 'served-version-scaled',
    steps: [
      ...STUCK.steps,
      setReplicas('canary', 3, stuck),
      act('wait until the operator has acted on it', () => undefined, scaled('web-canary-1', 3)),
    ],
  },
  {
    name: 'served-version-scaled-while-the-next-starts',
    prepare: behaves('2.0.0', 'slow'),
    steps: [
      create({ ...webSpec('1.0.0'), progressDeadlineSeconds: 300 }),
      version('2.0.0', ready),
      setReplicas('canary', 3, started('canary', '2.0.0')),
      act(
        'wait until the operator has acted on it',
        () => undefined,
        (scene) => serves(['canary', '1.0.0'])(scene) && scaled('web-canary-1', 3)(scene),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'served-service-edited-while-the-next-finds-no-room',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-a', 1);
    },
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'edit the selector of web-prod-a',
        ({ users }) => {
          users.editService('web-prod-a', { selector: { [LABEL.track]: null, app: 'other' } });
        },
        started('prod-a', '2.0.0'),
      ),
      act('wait until it is put back', () => undefined, serves(['prod-a', '1.0.0'])),
      act(
        'delete Deployment web-prod-a-1',
        ({ users }) => {
          users.remove('Deployment', objectName('web', 'prod-a', 1));
        },
        is('CapacityAvailable', 'False'),
      ),
      act('there is room', ({ cluster, world }) => {
        cluster.kubelet.capacity.delete('prod-a');
        const node = world.get('Node', 'prod-a-1');
        if (node) world.put('cluster', node);
      }),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'a-pause-stops-no-move',
    steps: [
      create(),
      edit(
        'tolerate spot VMs in canary',
        editPool('canary', (found) => {
          found.tolerations = [{ key: 'spot', operator: 'Exists' }];
        }),
        ready,
      ),
      act(
        'pause: freeze',
        ({ users }) => {
          users.pause('web', 'freeze');
        },
        ({ world }) => deploymentsOf(world, 'web', 'canary').length === 2,
      ),
      wait(200),
      act(
        'resume',
        ({ users }) => {
          users.pause('web', null);
        },
        ({ world }) => deploymentsOf(world, 'web', 'canary').length === 1,
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    ...STUCK,
    name: 'failed-version-that-recovers-waits-for-a-person',
    steps: [
      ...STUCK.steps,
      act(
        '2.0.0 gets ready after all',
        ({ cluster }) => {
          cluster.kubelet.behaviours.delete('2.0.0');
        },
        stuck,
      ),
    ],
  },
  {
    name: 'standby-stays-while-nothing-else-works',
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'the pod of canary is not ready any more',
        ({ users }) => {
          users.flip('web', 'canary', false);
        },
        ready,
      ),
      wait(600),
      act(
        'it is ready again',
        ({ users }) => {
          users.unflip();
        },
        ({ world }) => world.get('Deployment', 'web-canary-1') !== undefined,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
];
