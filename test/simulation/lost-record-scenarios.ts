/** Scenarios in which somebody deletes the records of versions: what serves stays, and the record is rebuilt. */
import { ANNOTATION } from '../../src/api/meta.ts';
import { objectName } from '../../src/release/record/names.ts';
import { allPods, isLeaving } from './pods.ts';
import type { Expectation, Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { rollingSharedSpec, rollingSpec, sharedSpec, webSpec, workerSpec } from './specs.ts';
import {
  HELD,
  RELEASED,
  act,
  behaves,
  complete,
  create,
  edit,
  editPool,
  everywhere,
  everywhereAt,
  is,
  ready,
  rollback,
  serves,
  started,
  version,
} from './steps.ts';
import { deploymentsOf, poolsOf, servedDeployment, specOf } from './truth.ts';
import { labelOf } from './world.ts';

type Check = (scene: Scene) => boolean;

/** What served when the records were deleted: Deployments with their generations, and their pods. */
const served = new WeakMap<object, string[]>();

function running({ world }: Scene): string[] {
  const pools = poolsOf('web', specOf(world.get('AppRelease', 'web')));
  const deployments = pools.flatMap((pool) => servedDeployment(world, 'web', pool) ?? []);
  const names = new Set(deployments.map(({ metadata }) => metadata.name));
  const pods = allPods(world).filter((pod) => !isLeaving(pod) && names.has(labelOf(pod, 'workload') ?? ''));
  return [...deployments, ...pods]
    .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.generation ?? ''}`)
    .toSorted();
}

function deleteRecords(names: readonly string[], when: Check): UserStep {
  return act(
    `delete ControllerRevision ${names.join(', ')}`,
    (scene) => {
      served.set(scene.world, running(scene));
      for (const name of names) scene.users.remove('ControllerRevision', name);
    },
    when,
  );
}

function deleteAll(when: Check): UserStep {
  return act(
    'delete all ControllerRevisions',
    (scene) => {
      served.set(scene.world, running(scene));
      for (const { metadata } of scene.world.list('ControllerRevision'))
        scene.users.remove('ControllerRevision', metadata.name);
    },
    when,
  );
}

/** The records exist, and what served when they were deleted is as it was. */
function asBefore(...records: string[]): NonNullable<Expectation['also']> {
  return (scene) => {
    const missing = records.find((name) => !scene.world.get('ControllerRevision', name));
    if (missing !== undefined) return `there is no record ${missing}`;
    const [before, now] = [served.get(scene.world) ?? [], running(scene)].map((lines) => lines.join(', '));
    return before === now ? undefined : `what serves changed from ${before} to ${now}`;
  };
}

function exists(name: string): Check {
  return ({ world }) => world.get('ControllerRevision', name) !== undefined;
}

function all(...checks: Check[]): Check {
  return (scene) => checks.every((check) => check(scene));
}

const SPECS = [webSpec, sharedSpec, rollingSpec, rollingSharedSpec, workerSpec];

function second(spec: (version: string) => SpecDraft = webSpec): UserStep[] {
  return [create(spec('1.0.0')), version('2.0.0', ready)];
}

const SECOND: Check = all(ready, everywhere('2.0.0'));
const [STANDBY, SERVING] = [objectName('web', 'prod-a', 1), objectName('web', 'prod-a', 2)];

/** Version 2.0.0 is rolled back, and everything has come to rest. */
const RETURNED = [...second(), rollback('back', SECOND)];

export const LOST_RECORDS: readonly Scenario[] = [
  ...SPECS.map((spec): Scenario => ({
    name: `record-deleted-${spec.name}`,
    steps: [...second(spec), deleteRecords(['web-2'], SECOND)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: asBefore('web-2', 'web-3') },
  })),
  ...SPECS.map((spec): Scenario => ({
    name: `all-records-deleted-${spec.name}`,
    steps: [...second(spec), deleteAll(SECOND)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: asBefore('web-2', 'web-3', 'web-ledger') },
    orderly: true,
  })),
  {
    name: 'record-deleted-with-overrides',
    steps: [
      create(),
      edit(
        'override in two pools, version 2.0.0',
        (spec) => {
          const env = (name: string) => ({ spec: { containers: [{ name: 'web', env: [{ name, value: 'on' }] }] } });
          editPool('prod-a', (found) => {
            found.template = env('DEBUG');
          })(spec);
          editPool('prod-b', (found) => {
            found.template = { ...env('TRACE'), metadata: { labels: { tier: 'edge' } } };
          })(spec);
          spec.version = '2.0.0';
          for (const container of spec.template.spec.containers) container.image = 'registry.test/web:2.0.0';
        },
        ready,
      ),
      deleteRecords(['web-2'], SECOND),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: asBefore('web-2', 'web-3') },
  },
  ...[webSpec, rollingSpec].map((spec): Scenario => ({
    name: `record-deleted-after-a-restart-${spec.name}`,
    steps: [
      ...second(spec),
      act(
        'restart all Deployments',
        ({ world, users }) => {
          for (const { metadata } of world.list('Deployment')) users.restart(metadata.name);
        },
        SECOND,
      ),
      { ...deleteRecords(['web-2'], SECOND), after: 120_000 },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: asBefore('web-2', 'web-3') },
    orderly: true,
  })),
  {
    name: 'record-deleted-then-a-version-and-back-to-it',
    steps: [
      ...second(),
      deleteRecords(['web-2'], SECOND),
      version('3.0.0', all(ready, exists('web-2'), exists('web-3'))),
      rollback('back', all(ready, everywhere('3.0.0')), { toRevision: 2 }),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: HELD },
  },
  {
    name: 'record-deleted-then-a-rollback',
    steps: [...second(), deleteRecords(['web-2'], SECOND), rollback('back', all(ready, exists('web-2')))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'record-deleted-in-the-middle-of-a-rollout',
    steps: [...second(), deleteRecords(['web-1'], started('canary', '2.0.0'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'record-deleted-while-canary-soaks',
    steps: [...second(), deleteRecords(['web-1'], serves(['canary', '2.0.0'], ['prod-a', '1.0.0']))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'record-of-canary-deleted-while-it-soaks',
    steps: [...second(), deleteRecords(['web-2'], serves(['canary', '2.0.0'], ['prod-a', '1.0.0']))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'record-deleted-before-the-next-version-fails',
    prepare: behaves('2.0.0', 'never'),
    steps: [...second(), deleteRecords(['web-1'], started('canary', '2.0.0'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: asBefore('web-1') },
    orderly: true,
  },
  {
    name: 'record-of-the-target-of-a-hold-deleted',
    steps: [...RETURNED, deleteRecords(['web-1'], complete('back'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: asBefore('web-1', 'web-2') },
    orderly: true,
  },
  {
    name: 'record-that-a-hold-keeps-out-deleted',
    steps: [...RETURNED, deleteRecords(['web-2'], complete('back'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: { RolledBack: 'True' }, also: asBefore('web-1') },
    orderly: true,
  },
  {
    name: 'all-records-deleted-under-a-hold',
    steps: [...RETURNED, deleteAll(complete('back'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: { RolledBack: 'True' }, also: asBefore('web-1') },
    orderly: true,
  },
  {
    name: 'all-records-deleted-then-a-version',
    steps: [...second(), deleteAll(SECOND), version('3.0.0', all(ready, exists('web-2'), exists('web-3')))],
    expect: {
      serves: everywhereAt('3.0.0'),
      conditions: RELEASED,
      also: ({ world }) => (world.get('ControllerRevision', 'web-4') ? undefined : 'version 3.0.0 is not revision 4'),
    },
  },
  {
    name: 'serving-deployment-deleted-beside-a-standby',
    steps: [
      ...second(),
      act(
        `delete Deployment ${SERVING}`,
        ({ users }) => {
          users.remove('Deployment', SERVING);
        },
        all(SECOND, ({ world }) => world.get('Deployment', STANDBY) !== undefined),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'changed-by-another-manager-then-the-record-deleted',
    steps: [
      ...second(),
      act(
        `write another version on ${SERVING}`,
        ({ users }) => {
          users.annotate('Deployment', SERVING, { [ANNOTATION.version]: '9.9.9' });
          users.remove('ControllerRevision', 'web-2');
        },
        SECOND,
      ),
      version('3.0.0', is('Stalled', 'True', 'RecordLost')),
    ],
    expect: {
      serves: everywhereAt('3.0.0'),
      conditions: RELEASED,
      also: ({ world }) => (deploymentsOf(world, 'web').length > 3 ? 'Deployments are left' : undefined),
    },
    orderly: true,
  },
];
