/** Scenarios in which the pools of a stage, or the stage, get other names. */
import type { Scenario } from './scenario.ts';
import type { PoolDraft, SpecDraft } from './specs.ts';
import { pool, webSpec } from './specs.ts';
import { create, edit, is, promote, ready, RELEASED, serves, version } from './steps.ts';

/** Production needs an approval, and has one pool. */
function onePool(more: Partial<PoolDraft> = {}): SpecDraft {
  const stages: SpecDraft['stages'] = [
    { name: 'canary', soak: '30s', pools: [pool('canary', 1)] },
    { name: 'production', approval: 'Manual', pools: [{ ...pool('prod-a', 2), ...more }] },
  ];
  return { ...webSpec('1.0.0'), stages };
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
const shared = { serviceName: 'shop' };

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
