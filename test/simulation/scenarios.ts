/** Scenarios of promotion: versions, approvals, changes of the spec in the middle of a rollout. */
import type { Behaviour } from './kubelet.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { SpecDraft } from './specs.ts';
import { pool, webSpec, workerSpec } from './specs.ts';
import type { Scene } from './simulation.ts';
import { conditionOf, deploymentsOf, servedVersion } from './truth.ts';

export function serves(...wanted: [pool: string, version: string][]): (scene: Scene) => boolean {
  return ({ world }) => wanted.every(([name, version]) => servedVersion(world, 'web', name) === version);
}

export function everywhere(version: string): (scene: Scene) => boolean {
  return serves(['canary', version], ['prod-a', version], ['prod-b', version]);
}

/** Ready, and the status speaks of the newest spec. */
export function ready({ world }: Scene): boolean {
  const release = world.get('AppRelease', 'web');
  const condition = conditionOf(release, 'Ready');
  return condition?.status === 'True' && condition.observedGeneration === release?.metadata.generation;
}

/** Whether a condition of the release is so, for the newest spec. */
export function is(type: string, status: string, reason?: string): (scene: Scene) => boolean {
  return ({ world }) => {
    const release = world.get('AppRelease', 'web');
    const condition = conditionOf(release, type);
    if (condition?.status !== status || condition.observedGeneration !== release?.metadata.generation) return false;
    return reason === undefined || condition.reason === reason;
  };
}

export function started(name: string, version: string): (scene: Scene) => boolean {
  return ({ world }) =>
    deploymentsOf(world, 'web', name).some(
      ({ metadata }) => metadata.annotations?.['apprelease.dev/version'] === version,
    );
}

export function create(spec: SpecDraft = webSpec('1.0.0')): UserStep {
  const say = `create AppRelease web, version ${spec.version ?? ''}`;
  return {
    say,
    act: ({ users }) => {
      users.create('web', spec);
    },
  };
}

export function version(wanted: string, when?: UserStep['when']): UserStep {
  return {
    say: `set version ${wanted}`,
    act: ({ users }) => {
      users.setVersion('web', wanted);
    },
    ...(when && { when }),
  };
}

export function edit(say: string, change: (spec: SpecDraft) => void, when?: UserStep['when']): UserStep {
  return {
    say,
    act: ({ users }) => {
      users.edit('web', change);
    },
    ...(when && { when }),
  };
}

export function behaves(tag: string, behaviour: Behaviour): Scenario['prepare'] {
  return ({ cluster }) => {
    cluster.kubelet.behaviours.set(tag, behaviour);
  };
}

export function everywhereAt(served: string): Record<string, string> {
  return { canary: served, 'prod-a': served, 'prod-b': served };
}

export const RELEASED = { Ready: 'True', Available: 'True', Stalled: 'False', RolledBack: 'False' };

/** A new spec whose production stage waits for a person. */
export function manualSpec(): SpecDraft {
  const spec = webSpec('1.0.0');
  for (const stage of spec.stages) if (stage.name === 'production') stage.approval = 'Manual';
  return spec;
}

export function promote(
  name: string,
  more: { version?: string; revision?: number; stage?: string; skipSoak?: boolean } = {},
  when?: UserStep['when'],
): UserStep {
  const spec = { release: 'web', stage: 'production', ...more };
  return {
    say: `create ReleasePromotion ${name} into ${spec.stage}${more.version ? ` for ${more.version}` : ''}`,
    act: ({ users }) => {
      users.promote(name, spec);
    },
    ...(when && { when }),
  };
}

function editCanary(change: (stage: SpecDraft['stages'][number]) => void): (spec: SpecDraft) => void {
  return (spec) => {
    for (const stage of spec.stages) if (stage.name === 'canary') change(stage);
  };
}

function editPool(name: string, change: (found: ReturnType<typeof pool>) => void): (spec: SpecDraft) => void {
  return (spec) => {
    for (const stage of spec.stages) for (const found of stage.pools) if (found.name === name) change(found);
  };
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
    name: 'revert-in-the-spec',
    steps: [create(), version('2.0.0', ready), version('1.0.0', serves(['prod-a', '2.0.0']))],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'replicas-changed-in-a-rollout',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'set 3 replicas in prod-a',
        editPool('prod-a', (found) => {
          found.replicas = 3;
        }),
        started('prod-a', '2.0.0'),
      ),
      edit(
        'set 1 replica in prod-b',
        editPool('prod-b', (found) => {
          found.replicas = 1;
        }),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'pool-added-and-removed',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'add pool prod-c',
        (spec) => {
          spec.stages[1]?.pools.push(pool('prod-c', 1));
        },
        serves(['canary', '2.0.0']),
      ),
      edit(
        'remove pool prod-a',
        (spec) => {
          for (const stage of spec.stages) stage.pools = stage.pools.filter(({ name }) => name !== 'prod-a');
        },
        serves(['prod-c', '2.0.0']),
      ),
    ],
    expect: {
      serves: { canary: '2.0.0', 'prod-b': '2.0.0', 'prod-c': '2.0.0' },
      conditions: RELEASED,
      also: ({ world }) => (world.get('Service', 'web-prod-a') ? 'Service web-prod-a is left' : undefined),
    },
  },
  {
    name: 'stages-reordered',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'production first',
        (spec) => {
          spec.stages.reverse();
        },
        serves(['canary', '2.0.0']),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'placement-changed',
    steps: [
      create(),
      edit(
        'tolerate spot VMs everywhere',
        (spec) => {
          for (const stage of spec.stages)
            for (const found of stage.pools) found.tolerations = [{ key: 'spot', operator: 'Exists' }];
        },
        ready,
      ),
      version('2.0.0', started('canary', '1.0.0')),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'rolling-update',
    steps: [create(workerSpec('1.0.0')), version('2.0.0', ready), version('3.0.0', serves(['prod-a', '2.0.0']))],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
  },
  {
    name: 'strategy-changed-and-back',
    steps: [
      create(),
      edit(
        'strategy RollingUpdate',
        (spec) => {
          spec.strategy = { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 };
        },
        ready,
      ),
      version('2.0.0'),
      edit(
        'strategy BlueGreen',
        (spec) => {
          spec.strategy = { type: 'BlueGreen' };
        },
        ready,
      ),
      version('3.0.0', ready),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: RELEASED },
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
    name: 'objects-deleted-by-hand',
    steps: [
      create(),
      {
        say: 'delete Service web-prod-a',
        when: ready,
        act: ({ users }) => {
          users.remove('Service', 'web-prod-a');
        },
      },
      {
        say: 'delete Deployment web-prod-b-1',
        after: 20_000,
        act: ({ users }) => {
          users.remove('Deployment', 'web-prod-b-1');
        },
      },
      version('2.0.0', ready),
      {
        say: 'delete Deployment web-canary-2',
        when: started('canary', '2.0.0'),
        act: ({ users }) => {
          users.remove('Deployment', 'web-canary-2');
        },
      },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'objects-edited-by-hand',
    steps: [
      create(),
      {
        say: 'edit the selector of web-prod-a',
        when: ready,
        act: ({ users }) => {
          users.editService('web-prod-a', { selector: { app: 'other' } });
        },
      },
      {
        say: 'scale web-prod-b-1 to 3',
        after: 20_000,
        act: ({ users }) => {
          users.scale('web-prod-b-1', 3);
        },
      },
      version('2.0.0', ready),
    ],
    expect: {
      serves: everywhereAt('2.0.0'),
      conditions: RELEASED,
    },
  },
  {
    name: 'invalid-spec-in-the-middle',
    steps: [
      create(),
      version('2.0.0', ready),
      edit(
        'a port that no container has',
        (spec) => {
          spec.service = { ports: [{ port: 80, targetPort: 'nope' } as never] };
        },
        started('canary', '2.0.0'),
      ),
      edit(
        'correct the port',
        (spec) => {
          spec.service = { ports: [{ port: 80 }] };
        },
        is('Stalled', 'True'),
      ),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'refused-template',
    steps: [
      create(),
      edit(
        'a memory limit that is none',
        (spec) => {
          for (const container of spec.template.spec.containers) container.resources = { limits: { memory: 'lots' } };
        },
        ready,
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { Ready: 'False/TemplateRejected', Stalled: 'True', Available: 'True' },
    },
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
          users.flip('web', 'canary', true);
        },
      },
    ],
    expect: { conditions: { Stalled: 'False' } },
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
    name: 'shared-service',
    steps: [
      create(
        (() => {
          const spec = webSpec('1.0.0');
          for (const found of spec.stages[1]?.pools ?? []) found.serviceName = 'web';
          return spec;
        })(),
      ),
      version('2.0.0', ready),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'adopted-service',
    prepare: ({ users }) => {
      users.createService('web-canary', true);
    },
    steps: [create(), version('2.0.0', ready)],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'service-name-taken',
    prepare: ({ users }) => {
      users.createService('web-prod-a', false);
    },
    steps: [
      create(),
      {
        say: 'remove the other Service',
        when: is('Stalled', 'True', 'NameTaken'),
        act: ({ users }) => {
          users.remove('Service', 'web-prod-a');
        },
      },
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
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
    name: 'release-deleted-and-made-again',
    steps: [
      create(),
      {
        say: 'delete AppRelease web',
        when: ready,
        act: ({ users }) => {
          users.remove('AppRelease', 'web');
        },
      },
      { ...create(webSpec('2.0.0')), after: 60_000 },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
];
