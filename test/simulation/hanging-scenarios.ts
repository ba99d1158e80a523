/** Scenarios in which a webhook for Deployments hangs while a rollback arrives. */
import { ANNOTATION } from '../../src/api/meta.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { webSpec } from './specs.ts';
import {
  act,
  complete,
  create,
  edit,
  editPool,
  everywhere,
  everywhereAt,
  HELD,
  ready,
  rollback,
  version,
} from './steps.ts';

/** From now on each write of a Deployment takes so long; beyond 10 s the operator gives it up. */
function hangs(seconds: number, when: UserStep['when'] = ready): UserStep {
  return act(
    `the webhook for Deployments answers after ${seconds} s`,
    ({ admission }) => {
      admission.hangs = () => seconds * 1000;
    },
    when,
  );
}

function recovers(when: UserStep['when']): UserStep {
  return act('the webhook for Deployments recovers', ({ admission }) => delete admission.hangs, when);
}

/** The Services switch within a second after the rollback is created. */
function switchesAtOnce({ world }: Scene): string | undefined {
  const asked = Date.parse(world.get('ReleaseRollback', 'back')?.metadata.creationTimestamp ?? '');
  const late = world.list('Service').find(({ metadata }) => {
    const switched = Date.parse(metadata.annotations?.[ANNOTATION.switchedAt] ?? '');
    return !(switched - asked <= 1000);
  });
  return late && `Service ${late.metadata.name} did not switch within a second`;
}

const warm: SpecDraft = { ...webSpec('1.0.0'), rollback: { warmFor: '24h', drain: '10s' } };
const scaleUp = edit(
  'scale prod-a up',
  editPool('prod-a', (pool) => (pool.replicas += 1)),
);

function later(seconds: number, step: UserStep): UserStep {
  return { ...step, after: seconds * 1000 };
}

export const HANGING: readonly Scenario[] = [
  ...[8, 30].map((seconds): Scenario => ({
    name: `rollback-while-a-write-hangs-for-${seconds}-s`,
    orderly: true,
    steps: [
      create(warm),
      version('2.0.0', ready),
      hangs(seconds),
      scaleUp,
      later(2, rollback('back')),
      recovers(complete('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, leftovers: true, also: switchesAtOnce },
  })),
  {
    // The standby yields to version 3.0.0: its deletion lands first, and the rollback is a cold one.
    name: 'rollback-while-the-deletion-of-its-target-hangs',
    orderly: true,
    steps: [
      create(warm),
      version('2.0.0', ready),
      hangs(8),
      version('3.0.0'),
      act(
        'wait until version 3.0.0 is recorded',
        () => undefined,
        ({ world }) => world.list('ControllerRevision').some(({ revision }) => revision === 3),
      ),
      later(2, rollback('back', undefined, { toVersion: '1.0.0' })),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, leftovers: true },
  },
  {
    name: 'rollback-while-the-scale-down-of-its-target-hangs',
    orderly: true,
    steps: [
      create({ ...warm, rollback: { ...warm.rollback, warmReplicas: '50%' } }),
      version('2.0.0', ready),
      hangs(8, everywhere('2.0.0')),
      later(12, rollback('back')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, leftovers: true },
  },
];
