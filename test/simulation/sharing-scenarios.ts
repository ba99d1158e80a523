/** Scenarios with releases that share VMs: all releases complete if there is room for one at a time. */
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { pool, webSpec } from './specs.ts';
import { act, RELEASED } from './steps.ts';
import { conditionOf } from './truth.ts';

const RELEASES = ['web', 'api', 'jobs'];

/** Two pools with one pod each behind one Service, which switches when both are ready, on VMs shared with other releases. */
function neighbour(name: string, version: string): SpecDraft {
  const spec = webSpec(version);
  const pools = ['prod-a', 'prod-b'].map((own) => ({
    ...pool(own, 1),
    nodeSelector: { pool: 'prod-a' },
    serviceName: name,
  }));
  return { ...spec, stages: [{ name: 'production', pools }] };
}

function createAll(names: readonly string[]): UserStep {
  return act(`create ${names.join(', ')} on the same VMs`, ({ users }) => {
    for (const name of names) users.create(name, neighbour(name, '1.0.0'));
  });
}

function isReady({ world }: Scene, name: string): boolean {
  return conditionOf(world.get('AppRelease', name), 'Ready')?.status === 'True';
}

function allReady(names: readonly string[]): (scene: Scene) => boolean {
  return (scene) => names.every((name) => isReady(scene, name));
}

function versionOfAll(names: readonly string[], wanted: string): UserStep {
  return act(
    `set version ${wanted} of ${names.join(', ')} in one apply`,
    ({ users }) => {
      for (const name of names) users.setVersion(name, wanted);
    },
    allReady(names),
  );
}

function servesAll(names: readonly string[], version: string): Scenario['expect'] {
  const serves = Object.fromEntries(names.map((name) => [`${name}/prod-a`, version]));
  const conditions = names.flatMap((name) =>
    Object.entries(RELEASED).map(([type, status]) => [`${name}/${type}`, status] as const),
  );
  return { serves, conditions: Object.fromEntries(conditions) };
}

const two = RELEASES.slice(0, 2);

export const SHARING: readonly Scenario[] = [
  {
    // Four pods serve and six have room: enough for one new version.
    name: 'two-releases-and-room-for-one',
    prepare: ({ users }) => {
      users.room('prod-a', 3);
    },
    steps: [createAll(two), versionOfAll(two, '2.0.0')],
    expect: servesAll(two, '2.0.0'),
  },
  {
    name: 'three-releases-and-room-for-one',
    prepare: ({ users }) => {
      users.room('prod-a', 4);
    },
    steps: [createAll(RELEASES), versionOfAll(RELEASES, '2.0.0')],
    expect: servesAll(RELEASES, '2.0.0'),
  },
  {
    // The VMs report room for both but take only one: the release without room removes its pods at the deadline.
    name: 'two-releases-and-less-room-than-was-counted',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-a', 3);
    },
    steps: [
      createAll(two),
      versionOfAll(two, '2.0.0'),
      act(
        'the VMs say what they take',
        ({ users }) => {
          users.room('prod-a', 3);
        },
        ({ world }) =>
          two.some((name) => conditionOf(world.get('AppRelease', name), 'CapacityAvailable')?.status === 'False'),
      ),
    ],
    expect: servesAll(two, '2.0.0'),
    orderly: true,
  },
  {
    name: 'a-release-that-fits-nowhere-holds-nobody-back',
    prepare: ({ users }) => {
      users.room('prod-a', 3);
    },
    steps: [
      createAll(two),
      act(
        'web wants a version of ten pods',
        ({ users }) => {
          users.edit('web', (spec) => {
            spec.stages = [
              ...spec.stages,
              { name: 'more', pools: [{ ...pool('big', 10), nodeSelector: { pool: 'prod-a' } }] },
            ];
          });
        },
        allReady(two),
      ),
      act(
        'set version 2.0.0 of api',
        ({ users }) => {
          users.setVersion('api', '2.0.0');
        },
        ({ world }) => conditionOf(world.get('AppRelease', 'web'), 'Ready')?.reason === 'NoCapacity',
      ),
    ],
    expect: {
      serves: { 'api/prod-a': '2.0.0', 'web/prod-a': '1.0.0' },
      conditions: { 'api/Ready': 'True', 'web/Ready': 'False/NoCapacity' },
    },
    orderly: true,
  },
];
