/** Scenarios with a spec that changes during a rollout, or is invalid. */
import type { Scenario } from './scenario.ts';
import { pool, webSpec } from './specs.ts';
import {
  HELD,
  RELEASED,
  act,
  complete,
  create,
  edit,
  editPool,
  everywhereAt,
  is,
  ready,
  rollback,
  serves,
  started,
  version,
} from './steps.ts';

export const CHANGES: readonly Scenario[] = [
  {
    name: 'replicas-changed-in-a-rollout',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'set 3 replicas in prod-a',
        editPool('prod-a', (found) => {
          found.replicas = 3;
        }),
        started('prod-a', '2.0.0'),
      ),
      edit(
        'set 1 replica in prod-b',
        editPool('prod-b', (found) => {
          found.replicas = 1;
        }),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'pool-added-and-removed',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'add pool prod-c',
        (spec) => {
          spec.stages[1]?.pools.push(pool('prod-c', 1));
        },
        serves(['canary', '2.0.0']),
      ),
      edit(
        'remove pool prod-a',
        (spec) => {
          for (const stage of spec.stages) stage.pools = stage.pools.filter(({ name }) => name !== 'prod-a');
        },
        serves(['prod-c', '2.0.0']),
      ),
    ],
    expect: {
      serves: { canary: '2.0.0', 'prod-b': '2.0.0', 'prod-c': '2.0.0' },
      conditions: RELEASED,
      also: ({ world }) => (world.get('Service', 'web-prod-a') ? 'Service web-prod-a is left' : undefined),
    },
  },
  {
    name: 'stages-reordered',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'production first',
        (spec) => {
          spec.stages.reverse();
        },
        serves(['canary', '2.0.0']),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'placement-changed',
    steps: [
      create(),
      edit(
        'tolerate spot VMs everywhere',
        (spec) => {
          for (const stage of spec.stages)
            for (const found of stage.pools) found.tolerations = [{ key: 'spot', operator: 'Exists' }];
        },
        ready,
      ),
      version('2.0.0', started('canary', '1.0.0')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'strategy-changed-and-back',
    steps: [
      create(),
      edit(
        'strategy RollingUpdate',
        (spec) => {
          spec.strategy = { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 };
        },
        ready,
      ),
      version('2.0.0'),
      edit(
        'strategy BlueGreen',
        (spec) => {
          spec.strategy = { type: 'BlueGreen' };
        },
        ready,
      ),
      version('3.0.0', ready),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
  {
    name: 'invalid-spec-in-the-middle',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'a port that no container has',
        (spec) => {
          spec.service = { ports: [{ port: 80, targetPort: 'nope' } as never] };
        },
        started('canary', '2.0.0'),
      ),
      edit(
        'correct the port',
        (spec) => {
          spec.service = { ports: [{ port: 80 }] };
        },
        is('Stalled', 'True'),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'refused-template',
    steps: [
      create(),
      edit(
        'a memory limit that is none',
        (spec) => {
          for (const container of spec.template.spec.containers) container.resources = { limits: { memory: 'lots' } };
        },
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/TemplateRejected', Stalled: 'True', Available: 'True' },
    },
  },
  {
    name: 'release-deleted-and-made-again',
    steps: [
      create(),
      {
        say: 'delete AppRelease web',
        when: ready,
        act: ({ users }) => {
          users.remove('AppRelease', 'web');
        },
      },
      { ...create(webSpec('2.0.0')), after: 60_000 },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'release-made-again-at-once',
    steps: [
      create(),
      act(
        'delete AppRelease web, and make it again',
        ({ users }) => {
          users.remove('AppRelease', 'web');
          users.create('web', webSpec('2.0.0'));
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'history-limit-keeps-the-way-back',
    steps: [
      create({ ...webSpec('1.0.0'), revisionHistoryLimit: 1 }),
      version('2.0.0', ready),
      version('3.0.0', ready),
      rollback('first', ready, { toVersion: '1.0.0' }),
      version('4.0.0', complete('first')),
      { ...rollback('second', ready), after: 1_000_000 },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
];
