/** Scenarios with failing versions, automatic rollbacks, and causes that are no failure. */
import { DENIED_MEMORY } from './scenario.ts';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import type { Scenario } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { webSpec, workerSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import {
  act,
  HELD,
  RELEASED,
  behaves,
  create,
  edit,
  everywhereAt,
  is,
  promote,
  ready,
  serves,
  version,
} from './steps.ts';

export function onFailure(
  choice: 'RollbackAll' | 'RollbackPool' | 'Pause',
  spec: SpecDraft = webSpec('1.0.0'),
): SpecDraft {
  return { ...spec, rollback: { ...spec.rollback, onFailure: choice } };
}

/** Ready at first, later in no pool. */
function fadesInProduction({ cluster }: Scene): void {
  cluster.kubelet.behaviours.set('2.0.0', 'never');
}

function canaryReplicas(replicas: number): SpecDraft {
  const spec = webSpec('1.0.0');
  for (const { name, pools } of spec.stages)
    if (name === 'canary') for (const found of pools) found.replicas = replicas;
  return spec;
}

export const FAILURE: readonly Scenario[] = [
  {
    name: 'failing-version',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'crashing-version-then-a-fix',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(), version('2.0.0', ready), version('2.0.1', is('RolledBack', 'True'))],
    expect: { serves: everywhereAt('2.0.1'), conditions: RELEASED },
  },
  {
    name: 'missing-image-then-the-retry',
    prepare: behaves('2.0.0', 'missing'),
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'the image is pushed again',
        when: is('RolledBack', 'True'),
        act: ({ cluster }) => {
          cluster.kubelet.behaviours.delete('2.0.0');
        },
      },
      promote('again', { version: '2.0.0', stage: 'canary' }),
      promote('onwards', { version: '2.0.0' }, serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'retry-waits-for-an-approval-in-each-stage',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      create(),
      version('2.0.0', ready),
      act(
        'what it needs is there',
        ({ cluster }) => {
          cluster.kubelet.behaviours.delete('2.0.0');
        },
        is('RolledBack', 'True'),
      ),
      promote('again', { version: '2.0.0', stage: 'canary' }),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: { Ready: 'False/WaitingForApproval', Available: 'True', Stalled: 'False' },
    },
  },
  {
    name: 'fails-in-production',
    steps: [
      create(),
      version('2.0.0', ready),
      { say: '2.0.0 will not get ready any more', when: serves(['canary', '2.0.0']), act: fadesInProduction },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'fails-in-production-one-pool-back',
    steps: [
      create(onFailure('RollbackPool')),
      version('2.0.0', ready),
      { say: '2.0.0 will not get ready any more', when: serves(['canary', '2.0.0']), act: fadesInProduction },
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: { RolledBack: 'True', Ready: 'False' },
    },
    orderly: true,
  },
  {
    name: 'failing-version-pauses',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(onFailure('Pause')), version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/Failed', Stalled: 'True', Available: 'True', RolledBack: 'False' },
      leftovers: true,
      also: ({ world }) => {
        const { pools = [] } = (world.get('AppRelease', 'web')?.status ?? {}) as AppReleaseStatus;
        const waitingFor = pools.find(({ name }) => name === 'canary')?.waitingFor ?? '';
        return /^revision 2 failed in pool canary: 0 of 1/.test(waitingFor) ? undefined : `waits for: ${waitingFor}`;
      },
    },
  },
  {
    name: 'first-version-fails',
    prepare: behaves('1.0.0', 'crash'),
    steps: [create(), version('2.0.0', is('Stalled', 'True'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'failing-workers',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(workerSpec('1.0.0')), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'flapping-version',
    prepare: behaves('2.0.0', 'flapping'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'fading-version',
    prepare: behaves('2.0.0', 'fading'),
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'node-lost-is-no-failure',
    steps: [
      create({ ...webSpec('1.0.0'), capacity: 'Proceed' }),
      {
        say: 'a VM of canary-1 and canary-2 is lost',
        when: ready,
        act: ({ users }) => {
          for (const name of ['canary-1', 'canary-2']) users.node(name, false);
        },
      },
      version('2.0.0'),
      {
        say: 'the VMs are back',
        after: 400_000,
        act: ({ users }) => {
          for (const name of ['canary-1', 'canary-2']) users.node(name, true);
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'crashes-where-some-pods-find-no-room',
    prepare: (scene) => {
      behaves('2.0.0', 'crash')?.(scene);
      scene.cluster.kubelet.capacity.set('canary', 2);
    },
    steps: [create(canaryReplicas(3)), version('2.0.0', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'deadline-begins-with-the-pods',
    steps: [
      create({ ...webSpec('1.0.0'), rollback: { drain: '3m', warmFor: '3m' } }),
      version('2.0.0', ready),
      version('3.0.0', serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
  {
    name: 'refused-deployment',
    steps: [
      create(),
      edit(
        'version 2.0.0, with more memory than the namespace may have',
        (spec) => {
          spec.version = '2.0.0';
          const resources = { limits: { memory: DENIED_MEMORY } };
          spec.template.spec.containers = [{ name: 'web', image: 'registry.test/web:2.0.0', resources }];
        },
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/Refused', Stalled: 'True', Available: 'True' },
    },
  },
];
