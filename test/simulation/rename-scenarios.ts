/** Scenarios in which the pools of a stage, or the stage, get other names. */
import type { Scenario } from './scenario.ts';
import type { PoolDraft, SpecDraft } from './specs.ts';
import { pool, webSpec } from './specs.ts';
import { create, edit, is, promote, ready, rollback, RELEASED, serves, version } from './steps.ts';

const shared = { serviceName: 'shop' };

/** Production needs an approval, and has one pool. */
function onePool(more: Partial<PoolDraft> = {}): SpecDraft {
  const stages: SpecDraft['stages'] = [
    { name: 'canary', soak: '30s', pools: [pool('canary', 1)] },
    { name: 'production', approval: 'Manual', pools: [{ ...pool('prod-a', 2), ...more }] },
  ];
  return { ...webSpec('1.0.0'), stages };
}

/** Two pools behind one Service. */
function twoPools(): SpecDraft {
  const pools = ['prod-a', 'prod-b'].map((name) => ({ ...pool(name, 2), ...shared }));
  return { ...webSpec('1.0.0'), stages: [{ name: 'production', pools }] };
}

function rename(stage: string, name: string, when = ready, more: Partial<PoolDraft> = {}) {
  return edit(
    `production becomes ${stage}, and prod-a becomes ${name}`,
    ({ stages }) => {
      stages[1] = { name: stage, approval: 'Manual', pools: [{ ...pool('prod-a', 2), ...more, name }] };
    },
    when,
  );
}

const first = [create(onePool()), promote('first', {}, is('Ready', 'False', 'WaitingForApproval'))];
const SERVED = { canary: '1.0.0', 'prod-x': '1.0.0' };
export const RENAMES: readonly Scenario[] = [
  {
    name: 'only-pool-of-a-stage-renamed',
    steps: [...first, rename('production', 'prod-x')],
    expect: { serves: SERVED, conditions: RELEASED },
  },
  {
    name: 'only-pool-of-a-stage-renamed-behind-the-same-service',
    steps: [create(onePool(shared)), ...first.slice(1), rename('production', 'prod-x', ready, shared)],
    expect: { serves: SERVED, conditions: RELEASED },
  },
  {
    name: 'stage-renamed',
    steps: [...first, rename('prod', 'prod-a')],
    expect: { serves: { canary: '1.0.0', 'prod-a': '1.0.0' }, conditions: RELEASED },
  },
  {
    name: 'stage-and-pool-renamed',
    steps: [...first, rename('prod', 'prod-x')],
    expect: { serves: SERVED, conditions: RELEASED },
  },
  {
    name: 'a-renamed-pool-returns-to-what-its-stage-had-good',
    orderly: true,
    steps: [
      ...first,
      version('2.0.0', ready),
      promote('second', {}, is('Ready', 'False', 'WaitingForApproval')),
      rename('production', 'prod-x', (scene) => serves(['prod-a', '2.0.0'])(scene) && ready(scene)),
      rollback('back', (scene) => serves(['prod-x', '2.0.0'])(scene) && ready(scene)),
    ],
    expect: {
      serves: { canary: '1.0.0', 'prod-x': '1.0.0' },
      conditions: { RolledBack: 'True', Available: 'True' },
    },
  },
  {
    name: 'a-pool-leaves-a-shared-service-and-its-sibling-stays',
    orderly: true,
    steps: [
      create(twoPools()),
      edit(
        'prod-b leaves',
        ({ stages }) => {
          stages[0]?.pools.pop();
        },
        ready,
      ),
    ],
    expect: {
      serves: { 'prod-a': '1.0.0' },
      conditions: RELEASED,
      also: ({ world }) => {
        const made = world.list('Deployment').map(({ metadata }) => metadata.name);
        // Without a key: the Deployment of before.
        const isKept = made.length === 1 && /^web-prod-a-1-[0-9a-f]{8}$/.test(made[0] ?? '');
        return isKept ? undefined : `Deployments: ${made.join(', ')}`;
      },
    },
  },
  {
    name: 'only-pool-of-a-stage-renamed-in-a-rollout',
    orderly: true,
    steps: [
      ...first,
      version('2.0.0', ready),
      rename('production', 'prod-x', (scene) => serves(['canary', '2.0.0'])(scene)),
    ],
    expect: {
      serves: { canary: '2.0.0', 'prod-x': '1.0.0' },
      conditions: { Ready: 'False/WaitingForApproval', Available: 'True' },
    },
  },
];
