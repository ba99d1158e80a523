/** Scenarios with foreign objects under names of the release. The operator must not change them: see ownership-rules. */
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import { objectName } from '../../src/release/record/names.ts';
import type { Scenario, UserStep } from './scenario.ts';
import { eachPool, webSpec, workerSpec } from './specs.ts';
import { RELEASED, act, create, everywhere, everywhereAt, is, ready, version } from './steps.ts';
import type { OwnedKind } from './users.ts';

/** A user's object appears, and is removed after the operator has reported it. */
function inTheWay(
  kind: OwnedKind,
  name: string,
  labels: Record<string, string> = {},
): Pick<Scenario, 'prepare' | 'steps'> {
  const spec = kind === 'Deployment' ? workerSpec('1.0.0') : webSpec('1.0.0');
  if (kind === 'HorizontalPodAutoscaler')
    eachPool(spec, (pool) => {
      pool.autoscaling = { minReplicas: 1, maxReplicas: 2 };
    });
  return {
    prepare: ({ users }) => {
      users.own(kind, name, labels);
    },
    steps: [create(spec), gone(kind, name)],
  };
}

function gone(kind: OwnedKind, name: string): UserStep {
  return act(
    `remove ${kind} ${name}`,
    ({ users }) => {
      users.remove(kind, name);
    },
    is('Stalled', 'True', 'NameTaken'),
  );
}

const RELEASED_THEN = { serves: everywhereAt('1.0.0'), conditions: RELEASED };

export const FOREIGN: readonly Scenario[] = [
  { name: 'service-without-selector-in-the-way', ...inTheWay('Service', 'web-prod-a'), expect: RELEASED_THEN },
  {
    name: 'labelled-service-in-the-way',
    ...inTheWay('Service', 'web-prod-a', { [LABEL.release]: 'web' }),
    expect: RELEASED_THEN,
  },
  { name: 'deployment-in-the-way', ...inTheWay('Deployment', objectName('web', 'prod-a')), expect: RELEASED_THEN },
  {
    name: 'autoscaler-in-the-way',
    ...inTheWay('HorizontalPodAutoscaler', objectName('web', 'prod-a')),
    expect: RELEASED_THEN,
  },
  {
    name: 'budget-in-the-way',
    ...inTheWay('PodDisruptionBudget', objectName('web', 'prod-a', 1)),
    expect: RELEASED_THEN,
  },
  { name: 'ledger-in-the-way', ...inTheWay('ControllerRevision', 'web-ledger'), expect: RELEASED_THEN },
  {
    name: 'revision-in-the-way',
    prepare: ({ users }) => {
      users.own('ControllerRevision', 'web-1');
      users.own('ControllerRevision', 'web-2', { [LABEL.release]: 'web' });
    },
    steps: [create(), version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: ({ world }) => (world.get('ControllerRevision', 'web-4') ? undefined : 'version 2.0.0 is not revision 4'),
    },
  },
  {
    name: 'adoption-taken-back',
    prepare: ({ users }) => {
      users.createService('web-prod-a', true);
    },
    steps: [
      create(),
      act(
        'take the annotation back',
        ({ users }) => {
          users.annotate('Service', 'web-prod-a', { [ANNOTATION.adopt]: null });
        },
        ready,
      ),
      act(
        'delete AppRelease web',
        ({ users }) => {
          users.remove('AppRelease', 'web');
        },
        is('Stalled', 'True', 'NameTaken'),
      ),
    ],
    expect: {
      also: ({ world }) =>
        world.get('Service', 'web-prod-a') ? undefined : 'the adopted Service went with the release',
    },
  },
  ...(['Deployment', 'Service', 'PodDisruptionBudget', 'ControllerRevision'] as const).map((kind): Scenario => ({
    name: `label-taken-from-every-${kind.toLowerCase()}`,
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        `take our label from every ${kind}`,
        ({ world, users }) => {
          for (const { metadata } of world.list(kind)) users.label(kind, metadata.name, { [LABEL.release]: null });
        },
        everywhere('2.0.0'),
      ),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: ({ world }) => {
        const lost = world.list(kind).find(({ metadata }) => metadata.labels?.[LABEL.release] === undefined);
        return lost && `${lost.metadata.name} has no label`;
      },
    },
  })),
];
