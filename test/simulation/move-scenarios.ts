/** Scenarios of releases whose VMs are replaced by others: what is moved, and where a rollback goes. */
import type { Scenario, UserStep } from './scenario.ts';
import { webSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import { HELD, act, create, edit, editPool, everywhereAt, is, ready, rollback, wait } from './steps.ts';
import { deploymentsOf } from './truth.ts';
import { addNodes } from './users.ts';

/** One commit: another version, and other VMs for prod-a. */
function versionOnOtherVms(tag: string, when: UserStep['when']): UserStep {
  return edit(
    `version ${tag}, with prod-a on the VMs of prod-c`,
    (spec) => {
      spec.version = tag;
      for (const container of spec.template.spec.containers) container.image = `registry.test/web:${tag}`;
      onOtherVms(spec);
    },
    when,
  );
}

function onOtherVms(spec: SpecDraft): void {
  editPool('prod-a', (found) => {
    found.nodeSelector = { pool: 'prod-c' };
  })(spec);
}

function loseVms(pool: string, when?: UserStep['when']): UserStep {
  return act(
    `the VMs of ${pool} are deleted`,
    ({ users }) => {
      users.loseVms(pool);
    },
    when,
  );
}

function warm(warmFor: string): SpecDraft {
  return { ...webSpec('1.0.0'), rollback: { warmFor, drain: '10s' } };
}

export const MOVES: readonly Scenario[] = [
  {
    name: 'rollback-whose-vms-are-gone',
    steps: [create(warm('20m')), versionOnOtherVms('2.0.0', ready), loseVms('prod-a', ready), rollback('back')],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'rollback-finds-no-vm-until-somebody-brings-one',
    steps: [
      create(warm('20m')),
      versionOnOtherVms('2.0.0', ready),
      loseVms('prod-a', ready),
      loseVms('prod-c'),
      rollback('back'),
      act(
        'VMs for prod-a come',
        ({ world }) => {
          addNodes(world, 'prod-c', 2);
        },
        is('Stalled', 'True', 'RollbackFailed'),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'standby-whose-vms-are-gone',
    steps: [create(warm('24h')), versionOnOtherVms('2.0.0', ready), loseVms('prod-a', ready), wait(60)],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: { Ready: 'True', CapacityAvailable: 'True' },
      leftovers: true,
      also: ({ world }) => {
        const left = deploymentsOf(world, 'web', 'prod-a').length;
        return left === 1 ? undefined : `${left} Deployments of prod-a are left`;
      },
    },
    orderly: true,
  },
];
