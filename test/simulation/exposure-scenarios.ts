/** Scenarios in which a new version gets the traffic of a stage step by step. */
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import type { RouteSpec } from '../../src/release/record/kube-objects.ts';
import { ROUTE, routed, weightsAre } from './route-scenarios.ts';
import type { Scenario } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft, StageDraft } from './specs.ts';
import { eachPool, sharedSpec, webSpec } from './specs.ts';
import {
  act,
  behaves,
  complete,
  create,
  edit,
  editCanary,
  editPool,
  everywhereAt,
  HELD,
  is,
  maintained,
  promote,
  ready,
  RELEASED,
  rollback,
  started,
  version,
  wait,
} from './steps.ts';

type Steps = NonNullable<StageDraft['exposure']>;

const STEPS: Steps = [
  { percent: 10, for: '20s' },
  { percent: 50, for: '20s' },
];
const MATCH = [{ headers: [{ name: 'x-release', value: 'next' }] }];
const WRITTEN = { canary: 20, 'prod-a': 40, 'prod-b': 40 };
const SPLIT = { 'web-canary': 20, 'web-canary-next': 0 };
const OTHERS = { 'web-prod-a': 40, 'web-prod-b': 40 };

/** A canary stage that is exposed step by step. */
export function exposed(spec: SpecDraft, exposure: Steps = STEPS): SpecDraft {
  routed(spec, WRITTEN);
  spec.route = { ...ROUTE, settle: '10s' };
  editCanary((stage) => (stage.exposure = exposure))(spec);
  return spec;
}

/** Whether the status tells of a step in a pool. */
function isAt(step: number, name = 'canary'): (scene: Scene) => boolean {
  return ({ world }) => {
    const { pools = [] } = (world.get('AppRelease', 'web')?.status ?? {}) as AppReleaseStatus;
    return pools.some((pool) => pool.name === name && pool.traffic?.exposure?.step === step);
  };
}

/** Whether the second Services of a pool get all of its traffic. */
function isFull(name = 'canary'): (scene: Scene) => boolean {
  return ({ world }) => {
    const { pools = [] } = (world.get('AppRelease', 'web')?.status ?? {}) as AppReleaseStatus;
    return pools.some((pool) => pool.name === name && pool.traffic?.exposure?.percent === '100%');
  };
}

/** The weights at the end: all traffic is at the first Services. */
const BACK = weightsAre({ ...SPLIT, ...OTHERS });

function backEverywhere(...names: string[]): Scenario['expect']['also'] {
  return ({ world }) => {
    const missing = names.find((name) => !world.get('Service', name));
    return missing === undefined ? undefined : `there is no Service ${missing}`;
  };
}

/** The number of rules in the route. */
function rulesAre(count: number): Scenario['expect']['also'] {
  return ({ world }) => {
    const { rules = [] } = (world.get('HTTPRoute', 'web')?.spec ?? {}) as RouteSpec;
    return rules.length === count ? undefined : `the route has ${rules.length} rules`;
  };
}

const EXPOSE_ALL = edit(
  'expose production too',
  (spec) => {
    for (const stage of spec.stages) stage.exposure = STEPS;
  },
  ready,
);
const MATCH_CANARY = edit(
  'match',
  editCanary((stage) => (stage.match = MATCH)),
  ready,
);

export const EXPOSURES: readonly Scenario[] = [
  {
    name: 'exposure',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
  },
  {
    name: 'exposure-in-every-stage',
    steps: [create(exposed(webSpec('1.0.0'))), EXPOSE_ALL, version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: backEverywhere('web-canary-next', 'web-prod-a-next', 'web-prod-b-next'),
    },
  },
  {
    name: 'exposure-then-a-rollback-in-its-middle',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready), rollback('back', isAt(2))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: BACK },
  },
  {
    name: 'exposure-then-a-rollback-with-all-traffic-at-the-second-service',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready), rollback('back', isFull())],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: BACK },
  },
  {
    name: 'exposure-then-a-rollback-and-a-retry',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      rollback('back', isAt(1)),
      promote('again', { stage: 'canary', version: '2.0.0' }, complete('back')),
      promote('further', { version: '2.0.0' }, is('Ready', 'False', 'WaitingForApproval')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-of-a-version-that-fails-in-it',
    prepare: behaves('2.0.0', 'fading'),
    steps: [
      create(
        exposed(webSpec('1.0.0'), [
          { percent: 10, for: '2m' },
          { percent: 50, for: '20s' },
        ]),
      ),
      version('2.0.0', ready),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, also: BACK },
  },
  {
    name: 'exposure-of-a-version-that-flaps',
    prepare: behaves('2.0.0', 'flapping'),
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-then-another-version-in-its-middle',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready), version('3.0.0', isAt(2))],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: BACK },
  },
  {
    name: 'exposure-then-a-revert-in-its-middle',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready), version('1.0.0', isAt(2))],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: BACK },
  },
  {
    name: 'exposure-paused-and-resumed',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      act(
        'pause',
        ({ users }) => {
          users.pause('web', 'lunch');
        },
        isAt(1),
      ),
      wait(120),
      act(
        'resume',
        ({ users }) => {
          users.pause('web', null);
        },
        (scene) => isAt(1)(scene),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-with-an-approval',
    steps: [
      create(exposed(webSpec('1.0.0'), [{ percent: 10, for: '20s', approval: 'Manual' }, ...STEPS.slice(1)])),
      version('2.0.0', ready),
      promote('go', { stage: 'canary', step: 1 }, is('Ready', 'False', 'WaitingForApproval')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-that-nobody-approves',
    steps: [create(exposed(webSpec('1.0.0'), [{ percent: 10, approval: 'Manual' }])), version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/WaitingForApproval', Stalled: 'False' },
      also: weightsAre({ 'web-canary': 432, 'web-canary-next': 48, 'web-prod-a': 960, 'web-prod-b': 960 }),
      leftovers: true,
    },
  },
  {
    name: 'exposure-by-headers-first',
    steps: [
      create(exposed(webSpec('1.0.0'), [{ percent: 0, for: '20s' }, ...STEPS])),
      MATCH_CANARY,
      version('2.0.0', ready),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: rulesAre(2) },
  },
  {
    name: 'match-without-steps',
    steps: [create(routed(webSpec('1.0.0'), WRITTEN)), MATCH_CANARY, version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: rulesAre(2) },
  },
  {
    name: 'exposure-that-the-spec-loses-in-its-middle',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      edit(
        'no exposure',
        editCanary((stage) => delete stage.exposure),
        isAt(2),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: weightsAre({ 'web-canary': 20, ...OTHERS }) },
  },
  {
    name: 'exposure-that-loses-its-route-in-its-middle',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      edit(
        'no route',
        (spec) => {
          delete spec.route;
          editCanary((stage) => delete stage.exposure)(spec);
        },
        isAt(2),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: { ...RELEASED, TrafficRouted: 'True/RouteStays' } },
  },
  {
    name: 'exposure-with-fewer-steps-in-its-middle',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      edit(
        'one step',
        editCanary((stage) => (stage.exposure = STEPS.slice(0, 1))),
        isAt(2),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
  },
  {
    name: 'exposure-over-a-shared-service',
    steps: [create(exposed(sharedSpec('1.0.0'))), EXPOSE_ALL, version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: backEverywhere('web-next') },
  },
  {
    name: 'exposure-of-an-autoscaled-pool',
    steps: [
      create(exposed(autoscaledCanary())),
      act(
        'load',
        ({ cluster }) => {
          cluster.load('canary', 3);
        },
        ready,
      ),
      version('2.0.0', (scene) => ready(scene) && hasSize(3)(scene)),
      act(
        'less load',
        ({ cluster }) => {
          cluster.load('canary', 1);
        },
        isAt(1),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-of-a-pool-in-maintenance',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      act(
        'canary is in maintenance',
        ({ users }) => {
          users.vmPool('canary', maintained('canary'));
        },
        isAt(1),
      ),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
      also: weightsAre({ 'web-canary': 0, 'web-canary-next': 0, ...OTHERS }),
    },
  },
  {
    name: 'exposure-and-a-pool-that-joins-its-stage',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      edit(
        'canary-b',
        editCanary((stage) => {
          stage.pools.push({ name: 'canary-b', replicas: 1, weight: 20, nodeSelector: { pool: 'canary' } });
        }),
        isAt(1),
      ),
    ],
    expect: { serves: { ...everywhereAt('2.0.0'), 'canary-b': '2.0.0' }, conditions: RELEASED },
  },
  {
    name: 'exposure-and-a-move-to-other-vms',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      edit(
        'canary on prod-a',
        editPool('canary', (found) => (found.nodeSelector = { pool: 'prod-a' })),
        isAt(1),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
  },
  {
    name: 'exposure-without-pods-of-the-version-before',
    steps: [
      create(exposed(webSpec('1.0.0'))),
      version('2.0.0', ready),
      act(
        'the pod of 1.0.0 is not ready',
        ({ users }) => {
          users.flip('web', 'canary', false);
        },
        isAt(1),
      ),
      act(
        'it is ready again',
        ({ users }) => {
          users.unflip();
        },
        isAt(2),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: BACK },
    orderly: true,
  },
  {
    name: 'exposure-of-a-version-that-starts-and-is-replaced',
    steps: [create(exposed(webSpec('1.0.0'))), version('2.0.0', ready), version('3.0.0', started('canary', '2.0.0'))],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED, also: BACK },
  },
];

function autoscaledCanary(): SpecDraft {
  const spec = webSpec('1.0.0');
  eachPool(spec, (found) => {
    if (found.name === 'canary') found.autoscaling = { minReplicas: 1, maxReplicas: 4 };
  });
  return spec;
}

function hasSize(size: number): (scene: Scene) => boolean {
  return ({ users }) => users.serving('web', 'canary').length === size;
}
