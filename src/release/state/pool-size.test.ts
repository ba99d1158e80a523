// A size that another manager sets on the served Deployment is the size of the pool, over a switch and a rollback.
import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { plan } from '../plan.ts';
import { NOW } from '../testing.ts';
import { releaseStatus } from '../status/status.ts';
import type { PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';

type Scaled = NonNullable<PoolWords['scaled']>;

function by(replicas: number, carried?: true): Scaled {
  return { by: 'kubectl', replicas, ...(carried && { carried }) };
}

const AUTOSCALING = { spec: { autoscaling: { minReplicas: 2, maxReplicas: 6 } } };

/** Revision 1 serves pool a with 2 pods. */
function serving(scaled: Scaled | undefined, more: PoolWords = {}): Words {
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    pools: { a: { ...(scaled && { scaled }), ...more }, b: {} },
  };
}

/** Revision 2 has entered pool a. */
function promoted(scaled: Scaled | undefined, more: PoolWords = {}): Words {
  const revisions = { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: { entered: 1, clock: 1 } } } };
  return { revisions, pools: { a: { ...(scaled && { scaled }), beside: { 2: 0 }, ...more }, b: {} } };
}

/** A rollback takes pool a back from revision 2 to revision 1, its standby. */
function returning(scaled: Scaled | undefined, more: PoolWords = {}): Words {
  return {
    rollback: { against: 2, to: { a: 1 } },
    revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: { rolledBack: 1 } } } },
    pools: { a: { ...(scaled && { scaled }), serves: 2, beside: { 1: 2 }, ...more }, b: {} },
  };
}

/** The size of pool a, and the writes to its Deployments. */
function sizes(words: Words): [number | undefined, ...string[]] {
  const { view, actions } = plan(world(words), NOW);
  const writes = actions.flatMap((action) => {
    if (action.kind !== 'ApplyDeployment' || action.desired.metadata.name.includes('web-b')) return [];
    const { metadata, spec } = action.desired;
    const carried = metadata.annotations?.[ANNOTATION.scale];
    return [`${metadata.name} to ${spec.replicas ?? 'what it has'}${carried === undefined ? '' : ` ${carried}`}`];
  });
  return [view.pools[0]?.replicas, ...writes];
}

const KUBECTL_5 = '{"by":"kubectl","replicas":5}';
const KUBECTL_0 = '{"by":"kubectl","replicas":0}';

test.each<[what: string, words: Words, size: number, ...writes: string[]]>([
  ['without another manager is that of the spec', serving(undefined), 2],
  ['is left alone', serving(by(5)), 5],
  ['is left alone at 0', serving(by(0)), 0],
  ['that the Deployment has from the one before stays', serving(by(5, true)), 5],
  ['that the Deployment has from the one before stays at 0', serving(by(0, true)), 0],
  ['of 0 turns off an autoscaler', serving(by(0), AUTOSCALING), 0],
  ['of 0 from the Deployment before keeps an autoscaler off', serving(by(0, true), AUTOSCALING), 0],
  ['of an autoscaled pool is that of the autoscaler if it is not 0', serving(by(5), AUTOSCALING), 5],
  ['goes to the next version', promoted(by(5)), 5, `web-a-2 to 5 ${KUBECTL_5}`],
  ['goes on to the next version', promoted(by(5, true)), 5, `web-a-2 to 5 ${KUBECTL_5}`],
  ['of 0 goes to the next version', promoted(by(0)), 0, `web-a-2 to 0 ${KUBECTL_0}`],
  ['of 0 goes to the next version of an autoscaled pool', promoted(by(0), AUTOSCALING), 0, `web-a-2 to 0 ${KUBECTL_0}`],
  ['goes to the target of a rollback', returning(by(5)), 5, `web-a-1 to 5 ${KUBECTL_5}`],
  ['of 0 goes to the target of a rollback', returning(by(0)), 0, `web-a-1 to 0 ${KUBECTL_0}`],
])('the size of a pool %s', (_what, words, ...expected) => {
  expect(sizes(words)).toEqual(expected);
});

/** The spec changes to 6 replicas, from 4. */
const EDITED: PoolWords = { replicas: 6, recorded: 4, ready: 4 };

test.each<[what: string, words: Words, size: number, ...writes: string[]]>([
  ['that is not the recorded one is left alone', serving(by(5), EDITED), 5],
  ['that is the recorded one follows the spec', serving(by(4), EDITED), 6, 'web-a-1 to 6'],
  ['from the Deployment before that is not the recorded one stays', serving(by(5, true), EDITED), 5],
  ['that the spec has too is the spec’s', serving(by(6), EDITED), 6],
  ['that the spec has too goes to the next version as the spec’s', promoted(by(2)), 2],
])('when the spec changes, a size %s', (_what, words, ...expected) => {
  expect(sizes(words)).toEqual(expected);
});

test.each<[what: string, words: Words, replicasReason: string | undefined, event?: true]>([
  ['nobody', serving(undefined, { recorded: 2 }), undefined],
  [
    'a manager',
    serving(by(5), { recorded: 2 }),
    '5 by kubectl; spec.replicas 2 is not used; scale to 2 to hand it back',
  ],
  [
    'a manager, and the spec changes',
    serving(by(5), EDITED),
    '5 by kubectl; spec.replicas 6 is not used; scale to 6 to hand it back',
    true,
  ],
  ['a manager that hands it back', serving(by(4), EDITED), undefined],
  [
    'a manager that turns the autoscaler off',
    serving(by(0), { ...AUTOSCALING, recorded: 1 }),
    '0 by kubectl, so the autoscaler is off; scale to 2 or more to turn it on',
  ],
  ['an autoscaler', serving(by(5), { ...AUTOSCALING, recorded: 1 }), undefined],
])(
  'the status says that %s sets the size, and an event if the spec is not used',
  (_what, words, replicasReason, event) => {
    const { view, actions } = plan(world(words), NOW);
    expect(releaseStatus(view, {}).pools?.[0]?.replicasReason).toBe(replicasReason);
    const notices = actions.flatMap((action) => action.notices ?? []);
    const note = `pool a: ${replicasReason ?? ''}`;
    expect(notices).toEqual(event ? [{ type: 'Warning', reason: 'ReplicasNotUsed', note }] : []);
  },
);

test('a size that is handed back is recorded once its Deployment has the size of the spec', () => {
  const recorded = (scaled: Scaled | undefined) =>
    plan(world(serving(scaled, EDITED)), NOW).actions.some(
      (action) => action.kind === 'AnnotateRevision' && action.annotations[ANNOTATION.topology] !== undefined,
    );
  expect([recorded(by(4)), recorded(undefined), recorded(by(5))]).toEqual([false, true, true]);
});

test('a size goes with a rollback that has switched, and completes it only then', () => {
  // Revision 1 serves; revision 2, which the rollback has left, has the size.
  const words = returning(undefined, { serves: 1, beside: { 2: 5 } });
  const seen = world(words);
  const [target, left] = seen.deployments;
  if (left) left.replicasOwner = 'kubectl';
  if (left) left.spec.replicas = 5;
  const { view, actions } = plan(seen, NOW);
  expect(view.pools[0]?.replicas).toBe(5);
  expect(actions).toContainEqual(
    expect.objectContaining({
      kind: 'ApplyDeployment',
      desired: expect.objectContaining({
        metadata: expect.objectContaining({ name: target?.metadata.name }) as object,
        spec: expect.objectContaining({ replicas: 5 }) as object,
      }) as object,
    }),
  );
  expect(completes(actions)).toBe(false);
  const carried = world(returning(by(5, true), { serves: 1, beside: {} }));
  expect(completes(plan(carried, NOW).actions)).toBe(true);
});

function completes(actions: ReturnType<typeof plan>['actions']): boolean {
  return actions.some(
    (action) => action.kind === 'PatchRollback' && action.status.pools?.[0]?.completedAt !== undefined,
  );
}
