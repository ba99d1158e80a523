/** Scenarios with promotions: versions, approvals, soaks, pauses, room. */
import type { Scenario } from './scenario.ts';
import type { SpecDraft } from './specs.ts';
import { webSpec, workerSpec } from './specs.ts';
import {
  RELEASED,
  create,
  edit,
  editCanary,
  editPool,
  everywhereAt,
  is,
  manualSpec,
  promote,
  ready,
  serves,
  started,
  version,
} from './steps.ts';

function soaking(soak: string): SpecDraft {
  const spec = webSpec('1.0.0');
  for (const stage of spec.stages) if (stage.name === 'canary') stage.soak = soak;
  return spec;
}

export const PROMOTION: readonly Scenario[] = [
  {
    name: 'promotion',
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'three-versions-in-a-row',
    steps: [
      create(),
      version('2.0.0', ready),
      version('3.0.0', started('canary', '2.0.0')),
      version('4.0.0', serves(['canary', '3.0.0'])),
    ],
    expect: { serves: everywhereAt('4.0.0'), conditions: RELEASED },
  },
  {
    name: 'manual-approval',
    steps: [
      create(manualSpec()),
      promote('first', {}, is('Ready', 'False', 'WaitingForApproval')),
      version('2.0.0', ready),
      promote('second', { version: '2.0.0' }, serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'waits-for-approval',
    steps: [
      create(manualSpec()),
      promote('first', {}, is('Ready', 'False', 'WaitingForApproval')),
      version('2.0.0', ready),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: { Ready: 'False/WaitingForApproval', Reconciling: 'True', Available: 'True', Stalled: 'False' },
    },
  },
  {
    name: 'an-approval-is-spent-once',
    steps: [
      create(manualSpec()),
      promote('first', {}, is('Ready', 'False', 'WaitingForApproval')),
      version('2.0.0', ready),
      promote('second', { version: '2.0.0' }, serves(['canary', '2.0.0'])),
      version('1.0.0', ready),
      version('2.0.0', ready),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: { Ready: 'False/WaitingForApproval', Available: 'True', Stalled: 'False' },
    },
  },
  {
    name: 'a-promotion-skips-the-soak',
    steps: [
      create(soaking('1h')),
      promote('first', { skipSoak: true }, serves(['canary', '1.0.0'])),
      version('2.0.0', ready),
      promote('second', { version: '2.0.0', skipSoak: true }, serves(['canary', '2.0.0'])),
    ],
    expect: { serves: everywhereAt('2.0.0') },
  },
  {
    name: 'revert-in-the-spec',
    steps: [create(), version('2.0.0', ready), version('1.0.0', serves(['prod-a', '2.0.0']))],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'pause-and-resume',
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'pause: freeze',
        when: started('canary', '2.0.0'),
        act: ({ users }) => {
          users.pause('web', 'freeze');
        },
      },
      {
        say: 'resume',
        after: 300_000,
        act: ({ users }) => {
          users.pause('web', null);
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'status-erased',
    steps: [
      create(),
      {
        say: 'erase the status',
        when: ready,
        act: ({ users }) => {
          users.eraseStatus('web');
        },
      },
      version('2.0.0', ready),
      {
        say: 'erase the status',
        when: serves(['canary', '2.0.0']),
        act: ({ users }) => {
          users.eraseStatus('web');
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'soak-restarts',
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'the canary pod is not ready for a while',
        when: serves(['canary', '2.0.0']),
        act: ({ users }) => {
          users.flip('web', 'canary', false);
        },
      },
      {
        say: 'it is ready again',
        after: 20_000,
        act: ({ users }) => {
          users.unflip();
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: { Stalled: 'False' } },
    orderly: true,
  },
  {
    name: 'no-room-for-a-while',
    prepare: ({ cluster }) => {
      cluster.kubelet.capacity.set('prod-a', 1);
    },
    steps: [
      create(),
      version('2.0.0', ready),
      {
        say: 'a VM is added to prod-a',
        after: 300_000,
        act: ({ cluster, world }) => {
          cluster.kubelet.capacity.delete('prod-a');
          const node = world.get('Node', 'prod-a-1');
          if (node) world.put('cluster', node);
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'zero-replicas-and-back',
    steps: [
      create(),
      edit(
        'set 0 replicas in canary',
        editCanary(({ pools }) => {
          for (const found of pools) found.replicas = 0;
        }),
        ready,
      ),
      version('2.0.0'),
      edit(
        'set 1 replica in canary',
        editCanary(({ pools }) => {
          for (const found of pools) found.replicas = 1;
        }),
        is('Ready', 'False', 'ProvesNothing'),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'registry-down-and-tag-moved',
    steps: [
      create(),
      {
        say: 'the registry goes down, the tag has moved',
        when: ready,
        act: ({ registry, cluster }) => {
          registry.move('registry.test/web:1.0.0');
          registry.up = false;
          cluster.kubelet.registry.up = false;
        },
      },
      edit(
        'set 3 replicas in prod-a',
        editPool('prod-a', (found) => {
          found.replicas = 3;
        }),
      ),
      version('2.0.0', ready),
      version('1.0.0', is('Ready', 'False', 'ResolvingDigests')),
      edit(
        'a changed template of version 1.0.0',
        (spec) => {
          for (const container of spec.template.spec.containers) container.args = ['-v'];
        },
        ready,
      ),
      {
        say: 'the registry is back',
        when: is('DigestsPinned', 'True'),
        after: 30_000,
        act: ({ registry, cluster }) => {
          registry.up = true;
          cluster.kubelet.registry.up = true;
        },
      },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'rolling-update',
    steps: [create(workerSpec('1.0.0')), version('2.0.0', ready), version('3.0.0', serves(['prod-a', '2.0.0']))],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
];
