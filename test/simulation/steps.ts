/** Steps of scenarios, and their conditions. */
import type { VmPoolSpec } from '../../src/api/vm-pool.ts';
import type { Behaviour } from './kubelet.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { webSpec } from './specs.ts';
import type { PoolDraft, SpecDraft } from './specs.ts';
import { conditionOf, deploymentsOf, rollbackStatus, servedVersion } from './truth.ts';

export function serves(...wanted: [pool: string, version: string][]): (scene: Scene) => boolean {
  return ({ world }) => wanted.every(([name, version]) => servedVersion(world, 'web', name) === version);
}

export function everywhere(version: string): (scene: Scene) => boolean {
  return serves(['canary', version], ['prod-a', version], ['prod-b', version]);
}

/** Ready, for the newest spec. */
export function ready({ world }: Scene): boolean {
  const release = world.get('AppRelease', 'web');
  const condition = conditionOf(release, 'Ready');
  return condition?.status === 'True' && condition.observedGeneration === release?.metadata.generation;
}

/** Whether a condition of the release matches, for the newest spec. */
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

/** Any other user action. */
export function act(say: string, change: UserStep['act'], when?: UserStep['when']): UserStep {
  return { say, act: change, ...(when && { when }) };
}

/** Lets time pass. */
export function wait(seconds: number): UserStep {
  return { say: `${seconds} s later`, after: seconds * 1000, act: () => undefined };
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

/** A new spec whose production stage needs an approval. */
export function manualSpec(): SpecDraft {
  const spec = webSpec('1.0.0');
  for (const stage of spec.stages) if (stage.name === 'production') stage.approval = 'Manual';
  return spec;
}

export function promote(
  name: string,
  more: { version?: string; revision?: number; stage?: string; skipSoak?: boolean; step?: number } = {},
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

export function editCanary(change: (stage: SpecDraft['stages'][number]) => void): (spec: SpecDraft) => void {
  return (spec) => {
    for (const stage of spec.stages) if (stage.name === 'canary') change(stage);
  };
}

export function editPool(name: string, change: (found: PoolDraft) => void): (spec: SpecDraft) => void {
  return (spec) => {
    for (const stage of spec.stages) for (const found of stage.pools) if (found.name === name) change(found);
  };
}

type RollbackSpec = { toVersion?: string; toRevision?: number; pools?: string[]; force?: boolean };

export function rollback(name: string, when?: UserStep['when'], more: RollbackSpec = {}): UserStep {
  const target = more.toVersion ?? more.toRevision ?? 'what ran last';
  return {
    say: `create ReleaseRollback ${name} to ${target}${more.pools ? ` of ${more.pools.join(', ')}` : ''}`,
    act: ({ users }) => {
      users.rollback(name, { release: 'web', reason: 'too many errors', ...more });
    },
    ...(when && { when }),
  };
}

export function remove(name: string, when: UserStep['when']): UserStep {
  return {
    say: `delete ReleaseRollback ${name}`,
    act: ({ users }) => {
      users.remove('ReleaseRollback', name);
    },
    ...(when && { when }),
  };
}

export function accepted(name: string): (scene: Scene) => boolean {
  return ({ world }) => rollbackStatus(world.get('ReleaseRollback', name))?.acceptedAt !== undefined;
}

export function complete(name: string): (scene: Scene) => boolean {
  return ({ world }) => condition(world.get('ReleaseRollback', name), 'Complete') === 'True';
}

export function rejected(name: string): (scene: Scene) => boolean {
  return ({ world }) => condition(world.get('ReleaseRollback', name), 'Accepted') === 'False';
}

function condition(object: { status?: unknown } | undefined, type: string): string | undefined {
  return (object?.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.find(
    (one) => one.type === type,
  )?.status;
}

export const HELD = {
  Ready: 'False/RolledBack',
  Available: 'True',
  RolledBack: 'True',
  Reconciling: 'False',
  Stalled: 'True/RolledBack',
};

/** A VMPool of these VMs in maintenance. */
export function maintained(name: string, force = false): VmPoolSpec {
  return { nodeSelector: { pool: name }, maintenance: { reason: 'kernel patch', minRemaining: '50%', force } };
}
