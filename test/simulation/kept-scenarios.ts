/** Scenarios with edits that change nothing for the pods of some pools, or of all: these pods stay as they are. */
import type { Expectation, Scenario, UserStep } from './scenario.ts';
import type { SpecDraft } from './specs.ts';
import { pool, rollingSharedSpec, rollingSpec, sharedSpec, webSpec, workerSpec } from './specs.ts';
import {
  HELD,
  RELEASED,
  behaves,
  complete,
  create,
  edit,
  editPool,
  everywhereAt,
  is,
  ready,
  rollback,
  started,
  version,
  wait,
} from './steps.ts';
import { deploymentsOf, poolsOf, revisionOf, specOf } from './truth.ts';

/** The container of the template, with one CPU, of which the VMs here do not speak. */
function withCpu(spec: SpecDraft, cpu: string): SpecDraft {
  spec.capacity = 'Proceed';
  for (const container of spec.template.spec.containers) container.resources = { requests: { cpu } };
  return spec;
}

/** The same amount of CPU in another spelling, which the API server stores in the same way. */
function otherSpelling(when: UserStep['when'] = ready): UserStep {
  return edit('write 1000m as 1', (spec) => withCpu(spec, '1'), when);
}

function override(name: string, value = 'on', when: UserStep['when'] = ready): UserStep {
  const template = { spec: { containers: [{ name: 'web', env: [{ name: 'DEBUG', value }] }] } };
  const change = editPool(name, (found) => {
    found.template = template;
  });
  return edit(`override DEBUG=${value} in ${name}`, change, when);
}

/** Each pool has one Deployment that has never got other pods, with this revision in its labels. */
function runs(numbers: Record<string, number>): NonNullable<Expectation['also']> {
  return ({ world }) => {
    for (const [name, number] of Object.entries(numbers)) {
      const [own, ...others] = deploymentsOf(world, 'web', name);
      if (!own || others.length > 0) return `pool ${name} has ${others.length + (own ? 1 : 0)} Deployments`;
      const found = revisionOf(own);
      if (found !== number) return `pool ${name} runs the pods of revision ${found ?? '?'}, not of ${number}`;
    }
    return undefined;
  };
}

/** The revision that the Service of each pool names. */
function names(numbers: Record<string, number>): NonNullable<Expectation['also']> {
  return ({ world }) => {
    const pools = poolsOf('web', specOf(world.get('AppRelease', 'web')));
    for (const [name, number] of Object.entries(numbers)) {
      const service = world.get('Service', pools.find((found) => found.name === name)?.service ?? '');
      const noted = service?.metadata.annotations?.['apprelease.dev/revision'];
      if (noted !== String(number)) return `the Service of ${name} names revision ${noted ?? '?'}, not ${number}`;
    }
    return undefined;
  };
}

function all(...checks: NonNullable<Expectation['also']>[]): NonNullable<Expectation['also']> {
  return (scene) => checks.map((check) => check(scene)).find((fault) => fault !== undefined);
}

function everywhereOf(number: number): Record<string, number> {
  return { canary: number, 'prod-a': number, 'prod-b': number };
}

export const KEPT: readonly Scenario[] = [
  ...[webSpec, sharedSpec, rollingSpec, rollingSharedSpec].map((spec): Scenario => ({
    name: `other-spelling-starts-no-pod-${spec.name}`,
    steps: [create(withCpu(spec('1.0.0'), '1000m')), otherSpelling()],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: all(runs(everywhereOf(1)), names(everywhereOf(2))),
    },
  })),
  {
    name: 'other-spelling-starts-no-pod-without-a-service',
    steps: [create(withCpu(workerSpec('1.0.0'), '1000m')), otherSpelling()],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: runs(everywhereOf(1)) },
  },
  {
    name: 'other-spelling-and-back',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      otherSpelling(),
      edit('write 1 as 1000m', (spec) => withCpu(spec, '1000m'), ready),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: all(runs(everywhereOf(1)), names(everywhereOf(1))),
    },
  },
  {
    name: 'other-spelling-in-the-middle-of-a-rollout',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      version('2.0.0', ready),
      otherSpelling(started('canary', '2.0.0')),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: all(runs({ canary: 2 }), names(everywhereOf(3))),
    },
  },
  {
    name: 'other-spelling-of-a-version-that-never-gets-ready',
    prepare: behaves('2.0.0', 'never'),
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      version('2.0.0', ready),
      otherSpelling(started('canary', '2.0.0')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'other-spelling-then-a-version-and-back-to-it',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      otherSpelling(),
      version('2.0.0', ready),
      wait(1),
      rollback('back', ready),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: names(everywhereOf(2)) },
  },
  {
    name: 'a-rollback-passes-over-what-is-equal',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      version('2.0.0', ready),
      otherSpelling(),
      rollback('back', ready),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'an-override-leaves-the-other-pools-alone',
    steps: [create(), override('prod-b')],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: all(runs({ canary: 1, 'prod-a': 1 }), names(everywhereOf(2))),
    },
  },
  {
    name: 'a-rollback-takes-an-override-back',
    steps: [create(), version('2.0.0', ready), override('canary'), rollback('back', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: HELD, also: names(everywhereOf(2)) },
  },
  {
    name: 'an-override-fails-in-canary',
    prepare: behaves('1.0.0', 'good'),
    steps: [
      create(),
      override('canary', 'on', (scene) => {
        if (!ready(scene)) return false;
        scene.cluster.kubelet.behaviours.set('1.0.0', 'never');
        return true;
      }),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { RolledBack: 'True' },
      also: runs({ 'prod-a': 1, 'prod-b': 1 }),
    },
  },
  {
    name: 'an-override-behind-a-shared-service',
    steps: [create(sharedSpec('1.0.0')), override('prod-b')],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: names(everywhereOf(2)) },
  },
  {
    name: 'an-override-behind-a-shared-service-in-place',
    steps: [create(rollingSharedSpec('1.0.0')), override('prod-b')],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: all(runs({ canary: 1, 'prod-a': 1, 'prod-b': 2 }), names(everywhereOf(2))),
    },
  },
  {
    name: 'a-pool-with-a-template-is-added',
    steps: [
      create(),
      edit(
        'add pool prod-c with a template',
        (spec) => {
          const template = { metadata: { labels: { tier: 'edge' } } };
          spec.stages[1]?.pools.push({ ...pool('prod-c', 1), template });
        },
        ready,
      ),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), 'prod-c': '1.0.0' },
      conditions: RELEASED,
      also: runs(everywhereOf(1)),
    },
  },
  {
    name: 'a-barrier-is-set-on-what-runs',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'set a barrier',
        (spec) => {
          spec.rollback = { ...spec.rollback, barrier: true };
        },
        ready,
      ),
      rollback('back', ready),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: names(everywhereOf(2)) },
  },
  {
    name: 'an-approval-is-not-asked-where-nothing-changes',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      edit(
        'approve production by hand, write 1000m as 1',
        (spec) => {
          for (const stage of spec.stages) if (stage.name === 'production') stage.approval = 'Manual';
          withCpu(spec, '1');
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: runs(everywhereOf(1)) },
  },
  {
    name: 'a-paused-release-takes-nothing',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      edit(
        'pause, write 1000m as 1',
        (spec) => {
          spec.paused = true;
          withCpu(spec, '1');
        },
        ready,
      ),
      edit(
        'go on',
        (spec) => {
          spec.paused = false;
        },
        is('Paused', 'True'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: runs(everywhereOf(1)) },
  },
  {
    name: 'a-rollback-to-what-was-kept',
    steps: [
      create(withCpu(webSpec('1.0.0'), '1000m')),
      otherSpelling(),
      version('2.0.0', ready),
      rollback('kept', ready, { toRevision: 2 }),
      rollback('before', complete('kept'), { toRevision: 1 }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: names(everywhereOf(1)) },
  },
];
