/** Scenarios with objects that others create, edit and delete, and with Services. */
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import type { Scenario } from './scenario.ts';
import { sharedSpec, webSpec } from './specs.ts';
import { RELEASED, act, behaves, create, everywhereAt, is, ready, started, version } from './steps.ts';
import { deploymentsOf, readyOf } from './truth.ts';
import { objectName } from '../../src/release/record/names.ts';

export const BY_HAND: readonly Scenario[] = [
  {
    name: 'objects-deleted-by-hand',
    steps: [
      create(),
      {
        say: 'delete Service web-prod-a',
        when: ready,
        act: ({ users }) => {
          users.remove('Service', 'web-prod-a');
        },
      },
      {
        say: 'delete Deployment web-prod-b-1',
        after: 20_000,
        act: ({ users }) => {
          users.remove('Deployment', objectName('web', 'prod-b', 1));
        },
      },
      version('2.0.0', ready),
      {
        say: 'delete Deployment web-canary-2',
        when: started('canary', '2.0.0'),
        act: ({ users }) => {
          users.remove('Deployment', 'web-canary-2');
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'objects-edited-by-hand',
    steps: [
      create(),
      {
        say: 'edit the selector of web-prod-a',
        when: ready,
        act: ({ users }) => {
          users.editService('web-prod-a', { selector: { app: 'other' } });
        },
      },
      {
        say: 'scale web-prod-b-1 to 3',
        after: 20_000,
        act: ({ users }) => {
          users.scale(objectName('web', 'prod-b', 1), 3);
        },
      },
      version('2.0.0', ready),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
    },
  },
  {
    name: 'shared-service',
    steps: [create(sharedSpec('1.0.0')), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'adopted-service',
    prepare: ({ users }) => {
      users.createService('web-canary', true);
    },
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'service-name-taken',
    prepare: ({ users }) => {
      users.createService('web-prod-a', false);
    },
    steps: [
      create(),
      {
        say: 'remove the other Service',
        when: is('Stalled', 'True', 'NameTaken'),
        act: ({ users }) => {
          users.remove('Service', 'web-prod-a');
        },
      },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'service-unlabelled-in-a-rollout',
    prepare: behaves('2.0.0', 'slow'),
    steps: [
      create({ ...webSpec('1.0.0'), progressDeadlineSeconds: 300 }),
      version('2.0.0', ready),
      act(
        'take our label from Service web-prod-a',
        ({ users }) => {
          users.label('Service', 'web-prod-a', { [LABEL.release]: null });
        },
        ({ world }) => deploymentsOf(world, 'web', 'prod-a').some((found) => readyOf(world, found).length === 1),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'placement-of-a-deployment-scribbled-over',
    steps: [
      create(),
      act(
        'annotate Deployment web-prod-a-1 with nonsense',
        ({ users }) => {
          users.annotate('Deployment', objectName('web', 'prod-a', 1), { [ANNOTATION.placement]: 'nonsense' });
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'owners-lost-by-a-restore',
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'restore all from a backup, without owners',
        ({ users }) => {
          users.disown();
        },
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: ({ world }) => {
        const children = ['Deployment', 'Service', 'ControllerRevision'].flatMap((kind) => world.list(kind));
        const lost = children.find(({ metadata }) => (metadata.ownerReferences ?? []).length === 0);
        return lost && `${lost.metadata.name} has no owner`;
      },
    },
  },
  {
    name: 'service-deleted-beside-a-standby',
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'delete Service web-prod-a',
        ({ users }) => {
          users.remove('Service', 'web-prod-a');
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
];
