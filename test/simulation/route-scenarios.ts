/** Scenarios with a route over all pools. */
import type { RouteSpec } from '../../src/release/record/kube-objects.ts';
import { ANNOTATION } from '../../src/api/meta.ts';
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { eachPool, sharedSpec, webSpec } from './specs.ts';
import {
  RELEASED,
  act,
  behaves,
  create,
  edit,
  editPool,
  everywhereAt,
  HELD,
  is,
  ready,
  rollback,
  version,
  maintained,
} from './steps.ts';

export const ROUTE = { parentRefs: [{ name: 'public' }], hostnames: ['shop.example.com'] };
const ROUTED = { ...RELEASED, TrafficRouted: 'True/Accepted' };

export function routed(spec: SpecDraft, weights?: Record<string, number>): SpecDraft {
  spec.route = structuredClone(ROUTE);
  eachPool(spec, (found) => {
    if (weights) found.weight = weights[found.name] ?? 1;
  });
  return spec;
}

/** Service → weight, in the route of that name. */
export function weightsAre(expected: Record<string, number>, name = 'web'): Scenario['expect']['also'] {
  return ({ world }) => {
    const route = world.get('HTTPRoute', name);
    const backends = (route?.spec as RouteSpec | undefined)?.rules?.[0]?.backendRefs ?? [];
    const found = Object.fromEntries(backends.map((backend) => [backend.name, backend.weight]));
    return JSON.stringify(found) === JSON.stringify(expected) ? undefined : `the weights are ${JSON.stringify(found)}`;
  };
}

/** Whether the status says that the traffic of a pool is away. */
function isEvacuated(name: string): (scene: Scene) => boolean {
  return ({ world }) => {
    const { pools = [] } = (world.get('AppRelease', 'web')?.status ?? {}) as AppReleaseStatus;
    return pools.some((pool) => pool.name === name && pool.traffic?.evacuated === true);
  };
}

function maintain(name: string): UserStep {
  return act(
    `${name} is in maintenance`,
    ({ users }) => {
      users.vmPool(name, maintained(name));
    },
    ready,
  );
}

/** The routes that exist. */
function routesAre(...names: string[]): Scenario['expect']['also'] {
  return ({ world }) => {
    const found = world.list('HTTPRoute').map(({ metadata }) => metadata.name);
    return found.join() === names.join() ? undefined : `the routes are ${found.join()}, not ${names.join()}`;
  };
}

const WRITTEN = { canary: 5, 'prod-a': 50, 'prod-b': 45 };
const WEIGHTS = { 'web-canary': 5, 'web-prod-a': 50, 'web-prod-b': 45 };

export const ROUTES: readonly Scenario[] = [
  {
    name: 'route-through-a-promotion',
    steps: [create(routed(webSpec('1.0.0'), WRITTEN)), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: ROUTED, also: weightsAre(WEIGHTS) },
  },
  {
    name: 'route-through-a-rollback',
    steps: [create(routed(webSpec('1.0.0'), WRITTEN)), version('2.0.0', ready), rollback('back', ready)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { ...HELD, TrafficRouted: 'True' },
      also: weightsAre(WEIGHTS),
    },
  },
  {
    name: 'route-of-sizes-that-change',
    steps: [
      create(routed(webSpec('1.0.0'))),
      edit(
        '4 replicas in prod-a',
        editPool('prod-a', (found) => (found.replicas = 4)),
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: ROUTED,
      also: weightsAre({ 'web-canary': 1, 'web-prod-a': 4, 'web-prod-b': 2 }),
    },
    orderly: true,
  },
  {
    name: 'route-past-a-pool-that-fails',
    prepare: behaves('2.0.0', 'never'),
    steps: [create(routed(webSpec('1.0.0'), WRITTEN)), version('2.0.0', ready)],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { ...HELD, TrafficRouted: 'True' },
      also: weightsAre(WEIGHTS),
    },
  },
  {
    name: 'route-with-a-pool-scaled-to-zero',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      edit(
        'no replicas in canary',
        editPool('canary', (found) => (found.replicas = 0)),
        ready,
      ),
    ],
    expect: { also: weightsAre({ ...WEIGHTS, 'web-canary': 0 }) },
    orderly: true,
  },
  {
    name: 'route-over-a-shared-service',
    steps: [create(routed(sharedSpec('1.0.0'))), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: ROUTED },
  },
  {
    name: 'route-that-comes-later-and-gets-another-name',
    steps: [
      create(webSpec('1.0.0')),
      edit('add a route', (spec) => void routed(spec), ready),
      edit(
        'another name',
        (spec) => (spec.route = { ...ROUTE, name: 'shop' }),
        is('TrafficRouted', 'True', 'Accepted'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: ROUTED, also: routesAre('shop') },
  },
  {
    name: 'route-that-is-taken-away-stays',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      edit('no route', (spec) => delete spec.route, is('TrafficRouted', 'True', 'Accepted')),
      version('2.0.0', is('TrafficRouted', 'True', 'RouteStays')),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: { ...RELEASED, TrafficRouted: 'True/RouteStays' },
      also: routesAre('web'),
    },
  },
  {
    name: 'route-that-is-taken-away-by-force',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      edit('no route', (spec) => delete spec.route, is('TrafficRouted', 'True', 'Accepted')),
      act(
        'annotate',
        ({ users }) => {
          users.annotate('AppRelease', 'web', { [ANNOTATION.routeRemoval]: 'force' });
        },
        is('TrafficRouted', 'True', 'RouteStays'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: routesAre() },
  },
  {
    name: 'route-that-stays-while-pools-leave',
    steps: [
      create(routed(webSpec('1.0.0'))),
      edit('no route', (spec) => delete spec.route, is('TrafficRouted', 'True', 'Accepted')),
      edit(
        'no prod-b',
        (spec) => {
          for (const stage of spec.stages) stage.pools = stage.pools.filter(({ name }) => name !== 'prod-b');
        },
        is('TrafficRouted', 'True', 'RouteStays'),
      ),
    ],
    expect: { also: weightsAre({ 'web-canary': 1, 'web-prod-a': 2 }) },
  },
  {
    name: 'route-past-a-pool-in-maintenance',
    steps: [create(routed(webSpec('1.0.0'), WRITTEN)), maintain('prod-a')],
    expect: { serves: everywhereAt('1.0.0'), conditions: ROUTED, also: weightsAre({ ...WEIGHTS, 'web-prod-a': 0 }) },
  },
  {
    name: 'route-back-to-a-pool-after-its-maintenance',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      maintain('prod-a'),
      act(
        'the maintenance is over',
        ({ users }) => {
          users.vmPool('prod-a', { nodeSelector: { pool: 'prod-a' } });
        },
        isEvacuated('prod-a'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: ROUTED, also: weightsAre(WEIGHTS) },
  },
  {
    name: 'rollback-into-a-pool-in-maintenance',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      version('2.0.0', ready),
      maintain('prod-a'),
      rollback('back', isEvacuated('prod-a')),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { ...HELD, TrafficRouted: 'True' },
      also: weightsAre({ ...WEIGHTS, 'web-prod-a': 0 }),
    },
  },
  {
    name: 'route-that-stays-with-too-few-pods-beside-a-maintenance',
    steps: [
      create(routed(webSpec('1.0.0'), WRITTEN)),
      act(
        'production is in maintenance',
        ({ users }) => {
          for (const name of ['prod-a', 'prod-b']) users.vmPool(name, maintained(name));
        },
        ready,
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: ROUTED, also: weightsAre(WEIGHTS) },
  },
];
