/** Scenarios with changed ports in pools that are updated in place. */
import { LABEL } from '../../src/api/meta.ts';
import type { Expectation, Scenario, UserStep } from './scenario.ts';
import type { SpecDraft } from './specs.ts';
import { rollingSharedSpec, rollingSpec, setPorts, workerSpec } from './specs.ts';
import {
  HELD,
  RELEASED,
  act,
  behaves,
  complete,
  create,
  edit,
  editPool,
  everywhereAt,
  ready,
  rollback,
  serves,
  started,
  version,
  wait,
} from './steps.ts';
import { deploymentsOf, selectorOf } from './truth.ts';

function withPorts(wanted: string, targetPort: number | string, when: UserStep['when'] = ready): UserStep {
  const change = (spec: SpecDraft) => {
    setPorts(spec, wanted, targetPort);
  };
  return edit(`set version ${wanted}, with the port ${targetPort}`, change, when);
}

/** The Services select these tracks and ports, and no pool has another Deployment. */
function leads(tracks: Record<string, string>, ports: string): Expectation['also'] {
  return ({ world }) => {
    for (const [name, track] of Object.entries(tracks)) {
      const service = world.get('Service', name);
      const selected = selectorOf(service)?.[LABEL.track];
      if (selected !== track) return `Service ${name} leads to ${selected ?? 'nothing'}, not to ${track}`;
      const own = (service?.spec as { ports: { port: number; targetPort: number | string }[] }).ports;
      const shown = own.map(({ port, targetPort }) => `${port} → ${targetPort}`).join();
      if (shown !== ports) return `Service ${name} has the ports ${shown}, not ${ports}`;
    }
    return undefined;
  };
}

function tracks(suffix: string): Record<string, string> {
  return Object.fromEntries(['canary', 'prod-a', 'prod-b'].map((pool) => [`web-${pool}`, `web-${pool}-${suffix}`]));
}

function portsAlone(port: number): UserStep {
  return edit(
    `the Service's port ${port} alone`,
    (spec) => {
      for (const own of spec.service?.ports ?? []) own.port = port;
    },
    ready,
  );
}

export const PORTS: readonly Scenario[] = [
  {
    name: 'ports-change-with-the-pods',
    steps: [create(rollingSpec('1.0.0')), withPorts('2.0.0', 'new')],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: leads(tracks('2'), '80 → new') },
  },
  {
    name: 'ports-stay-and-the-next-version-rolls-where-the-last-one-is',
    steps: [create(rollingSpec('1.0.0')), withPorts('2.0.0', 'new'), version('3.0.0', ready), version('4.0.0', ready)],
    expect: { serves: everywhereAt('4.0.0'), conditions: RELEASED, also: leads(tracks('2'), '80 → new') },
  },
  {
    name: 'ports-change-twice',
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      withPorts('3.0.0', 'newer'),
      withPorts('4.0.0', 80),
    ],
    expect: { serves: everywhereAt('4.0.0'), conditions: RELEASED, also: leads(tracks('4'), '80 → 80') },
  },
  {
    name: 'ports-change-while-other-ports-roll',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      withPorts('3.0.0', 'new', started('canary', '2.0.0')),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: leads(tracks('3'), '80 → new') },
  },
  {
    name: 'ports-change-back-while-others-roll',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      withPorts('3.0.0', 80, started('canary', '2.0.0')),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: leads(tracks('rolling'), '80 → 80') },
  },
  {
    name: 'ports-go-back-with-the-pods',
    steps: [create(rollingSpec('1.0.0')), withPorts('2.0.0', 'new'), rollback('back', ready)],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: leads(tracks('rolling'), '80 → 80') },
  },
  {
    name: 'ports-go-back-with-new-pods',
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      act('wait until it is released', () => undefined, ready),
      wait(300),
      rollback('back'),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: leads(tracks('1'), '80 → 80') },
  },
  {
    name: 'ports-go-back-over-two-versions',
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      version('3.0.0', ready),
      rollback('back', ready, { toVersion: '1.0.0' }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'ports-of-a-version-that-fails-never-show',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(rollingSpec('1.0.0')), withPorts('2.0.0', 'new')],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: leads(tracks('rolling'), '80 → 80') },
  },
  {
    name: 'ports-of-a-version-that-fails-in-production',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      act('wait until the rollback is complete', () => undefined, complete('web-r2-1')),
      withPorts('3.0.0', 'new', complete('web-r2-1')),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: leads(tracks('3'), '80 → new') },
  },
  {
    name: 'ports-change-alone',
    steps: [create(rollingSpec('1.0.0')), portsAlone(81)],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: leads(tracks('rolling'), '81 → 81') },
  },
  {
    name: 'ports-of-pools-that-share-a-service',
    steps: [
      create(rollingSharedSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      version('3.0.0', ready),
      withPorts('4.0.0', 'newer'),
      rollback('back', ready),
    ],
    expect: {
      serves: everywhereAt('3.0.0'),
      conditions: HELD,
      also: leads({ web: 'web-2', 'web-canary': 'web-canary-2' }, '80 → new'),
    },
  },
  {
    name: 'ports-change-in-an-autoscaled-pool',
    steps: [
      create(rollingSpec('1.0.0')),
      edit(
        'autoscale prod-a',
        editPool('prod-a', (found) => {
          found.autoscaling = { minReplicas: 2, maxReplicas: 6 };
        }),
        ready,
      ),
      act(
        'the load of prod-a asks for 5 pods',
        ({ cluster }) => {
          cluster.load('prod-a', 5);
        },
        ready,
      ),
      wait(30),
      withPorts('2.0.0', 'new'),
      rollback('back', ready),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'ports-come-to-workers',
    steps: [
      create(workerSpec('1.0.0')),
      edit(
        'a Service, and a port for it',
        (spec) => {
          spec.service = { ports: [] };
          setPorts(spec, '2.0.0', 'new');
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'ports-change-where-the-deployment-is-deleted',
    steps: [
      create(rollingSpec('1.0.0')),
      withPorts('2.0.0', 'new'),
      act(
        'delete the Deployments of prod-a',
        ({ world, users }) => {
          for (const { metadata } of deploymentsOf(world, 'web', 'prod-a')) users.remove('Deployment', metadata.name);
        },
        ready,
      ),
      wait(60),
      withPorts('3.0.0', 'newer', serves(['prod-a', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: leads(tracks('3'), '80 → newer') },
  },
];
