/** Scenarios with allowed changes of Deployments by others (scale, restart), and with forbidden ones (fields of the operator). */
import { objectName } from '../../src/release/record/names.ts';
import { deploymentSpec } from './pods.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { eachPool, webSpec, workerSpec } from './specs.ts';
import {
  HELD,
  act,
  complete,
  create,
  edit,
  everywhere,
  everywhereAt,
  is,
  ready,
  rollback,
  started,
  version,
} from './steps.ts';

const WORKERS = objectName('web', 'prod-a');
const SERVED = objectName('web', 'prod-a', 1);

function scale(deployment: string, sizes: readonly number[]): UserStep[] {
  return sizes.map((replicas) => ({
    say: `scale ${deployment} to ${replicas}`,
    after: 10_000,
    act: ({ users }) => {
      users.scale(deployment, replicas);
    },
  }));
}

function restart(deployment: string, times: number): UserStep[] {
  return Array.from({ length: times }, (_none, index) => ({
    say: `restart ${deployment} for the ${index + 1}. time`,
    after: 20_000,
    act: ({ users }) => {
      users.restart(deployment);
    },
  }));
}

/** Four changes within a minute, whatever the operator reverts. */
function contest(deployment: string): UserStep[] {
  return Array.from({ length: 4 }, () => ({
    say: `have ${deployment} keep 7 old ReplicaSets`,
    after: 10_000,
    act: ({ users }) => {
      users.editDeployment(deployment, { revisionHistoryLimit: 7 });
    },
  }));
}

function standbyIsHalf({ world }: Scene): boolean {
  const standby = world.get('Deployment', SERVED);
  return standby !== undefined && deploymentSpec(standby).replicas === 1;
}

const SHOP = { labels: { team: 'shop', cost: '42' }, annotations: { page: 'shop' } };

/** Whether the objects of the release, also those that stand by, have exactly these labels and annotations of SHOP. */
function allHave(...keys: string[]): (scene: Scene) => boolean {
  return (scene) => ready(scene) && wronglyDescribed(scene, keys) === undefined;
}

function wronglyDescribed({ world }: Scene, keys: readonly string[]): string | undefined {
  const objects = ['Deployment', 'PodDisruptionBudget', 'HorizontalPodAutoscaler'].flatMap((kind) => world.list(kind));
  const wrong = objects.find(({ metadata: { labels = {}, annotations = {} } }) =>
    ['team', 'cost', 'page'].some((key) => keys.includes(key) !== (key in labels || key in annotations)),
  );
  return wrong && `${wrong.metadata.name} does not have ${keys.join(' and ')} alone`;
}

/** Like `kubectl rollout pause` of every Deployment, again and again. */
function pauseAll(times: number, when?: UserStep['when']): UserStep[] {
  return Array.from({ length: times }, (_none, index) => ({
    say: `pause all Deployments for the ${index + 1}. time`,
    after: 10_000,
    act: ({ world, users }) => {
      for (const { metadata } of world.list('Deployment')) users.editDeployment(metadata.name, { paused: true });
    },
    ...(index === 0 && when && { when }),
  }));
}

/** The standby is smaller than the serving Deployment, so a rollback must write to it. */
const half = { rollback: { warmFor: '20m', warmReplicas: '50%', drain: '10s' } };

export const DRIFT: readonly Scenario[] = [
  {
    name: 'scaled-again-and-again-then-a-version-and-back',
    steps: [
      create(workerSpec('1.0.0')),
      act('wait until it is released', () => undefined, ready),
      ...scale(WORKERS, [3, 2, 3, 4]),
      version('2.0.0', ready),
      rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene)),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: { ...HELD, Contested: 'False' } },
    orderly: true,
  },
  {
    name: 'restarted-again-and-again-then-a-version-and-back',
    steps: [
      create({ ...webSpec('1.0.0'), ...half }),
      act('wait until it is released', () => undefined, ready),
      ...restart(SERVED, 4),
      version('2.0.0', ready),
      act('see the standbys become smaller', () => undefined, standbyIsHalf),
      rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene)),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: { ...HELD, Contested: 'False' } },
    orderly: true,
  },
  {
    name: 'described-then-less-then-not-at-all',
    steps: [
      create({ ...webSpec('1.0.0'), rollback: { warmFor: '2h' }, workloadMetadata: SHOP }),
      edit(
        'scale prod-a by its load',
        (spec) => {
          eachPool(spec, (found) => {
            if (found.name === 'prod-a') found.autoscaling = { minReplicas: 2, maxReplicas: 3 };
          });
        },
        allHave('team', 'cost', 'page'),
      ),
      version('2.0.0', allHave('team', 'cost', 'page')),
      edit(
        'remove the cost and the page',
        (spec) => {
          spec.workloadMetadata = { labels: { team: 'shop' } };
        },
        everywhere('2.0.0'),
      ),
      edit(
        'remove the team',
        (spec) => {
          delete spec.workloadMetadata;
        },
        allHave('team'),
      ),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: { Ready: 'True' },
      leftovers: true,
      also: (scene) => wronglyDescribed(scene, []),
    },
  },
  {
    name: 'contested-then-a-version-and-back',
    steps: [
      create(workerSpec('1.0.0')),
      act('wait until it is released', () => undefined, ready),
      ...contest(WORKERS),
      version('2.0.0', is('Contested', 'True')),
      rollback('back', (scene) => ready(scene) && everywhere('2.0.0')(scene)),
      act('wait until the rollback is complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'paused-workers-roll-and-go-back',
    steps: [
      create(workerSpec('1.0.0')),
      ...pauseAll(1, ready),
      version('2.0.0'),
      ...pauseAll(4, (scene) => ready(scene) && everywhere('2.0.0')(scene)),
      rollback('back', is('Contested', 'True')),
      act('see it complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'paused-in-a-promotion-then-back',
    steps: [
      create(),
      version('2.0.0', ready),
      ...pauseAll(1, started('canary', '2.0.0')),
      ...pauseAll(1, (scene) => ready(scene) && everywhere('2.0.0')(scene)),
      rollback('back'),
      act('see it complete', () => undefined, complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
];
