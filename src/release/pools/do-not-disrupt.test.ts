import { describe, expect, test } from 'vitest';
import { vm } from '../../scheduling/testing.ts';
import { plan } from '../plan.ts';
import type { Action } from '../record/actions.ts';
import type { Pod } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { ago, NOW, podsFor, rollout } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { DO_NOT_DISRUPT, holdsEnd, reconcileDoNotDisrupt } from './do-not-disrupt.ts';

const [KARPENTER = '', AUTOSCALER = ''] = Object.keys(DO_NOT_DISRUPT);
const MARKED = { [KARPENTER]: true, [AUTOSCALER]: true };

/** Revision 2 rolls out in pool a, beside revision 1; each has two pods. */
function rolling(facts: FactWords = { entered: 5, clock: 5 }, words: Words = {}): Words {
  return {
    pools: { a: { beside: { 2: 1 } } },
    revisions: { 2: { in: { a: facts } } },
    ...words,
    spec: { disruption: { holdVMs: true }, ...words.spec },
  };
}

const SERVED: Words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: GOOD } } } };
const ON_DRAINING = { more: { vms: [vm('node', { unschedulable: true, markedAt: ago(60) })] } };
const BACK: Words = { pools: { a: { serves: 2, beside: { 1: 1 } } }, revisions: { 2: { in: { a: GOOD } } } };
const rollback = { against: 2, to: { a: 1 } };

/** The world in which all pods have these marks. */
function marked(words: Words, holdMarks?: Pod['holdMarks']): Observed {
  const seen = world(words);
  return { ...seen, pods: seen.pods.map((pod) => ({ ...pod, ...(holdMarks && { holdMarks }) })) };
}

function told(actions: readonly Action[]): string[] {
  return actions.flatMap((action) => {
    if (action.kind !== 'AnnotatePod') return [];
    const values = Object.entries(action.annotations).map(([key, value]) => `${key}=${value ?? ''}`);
    return `${action.target.name} ${values.join(' ')}`;
  });
}

describe('pods are held', () => {
  test.each<[what: string, words: Words, pools: string[]]>([
    ['while a version rolls out', rolling(), ['a']],
    ['not without holdVMs', rolling(undefined, { spec: { disruption: { holdVMs: false } } }), []],
    ['not once the version serves', rolling(undefined, SERVED), []],
    ['not past the deadline', rolling({ entered: 15, clock: 10 }), []],
    ['not while the release waits for a cause outside the version', rolling({ entered: 5, clock: 5, stopped: 1 }), []],
    ['not after a failure', rolling({ entered: 5, failed: 1 }), []],
    ['not while the release is paused', rolling(undefined, { paused: 'holidays' }), []],
    ['not on a VM that is being removed', rolling(undefined, ON_DRAINING), []],
    [
      'not because a pod of the serving version is not ready',
      rolling(undefined, { ...SERVED, pools: { a: { serves: 2, ready: 1 } } }),
      [],
    ],
    ['while a rollback rolls back', rolling(undefined, { ...BACK, rollback }), ['a']],
    [
      'not past the deadline of a rollback',
      rolling(undefined, { ...BACK, rollback: { ...rollback, accepted: 11 } }),
      [],
    ],
    [
      'not after a rollback',
      rolling(undefined, { pools: { a: { ready: 1 } }, rollback: { ...rollback, completed: 1 } }),
      [],
    ],
  ])('%s', (_what, words, pools) => {
    const seen = rollout(marked(words));
    const held = new Set(
      reconcileDoNotDisrupt(seen).flatMap((action) =>
        seen.pools.filter(({ workloads }) =>
          workloads.some(({ pods }) =>
            pods.some(({ metadata }) => action.kind === 'AnnotatePod' && action.target.name === metadata.name),
          ),
        ),
      ),
    );
    expect([...held].map(({ name }) => name)).toEqual(pools);
    // Marks of pods that are not held are taken off, and those of pods that are held stay.
    const before = rollout(marked(words, MARKED));
    const kept = before.observed.pods.length - told(reconcileDoNotDisrupt(before)).length;
    expect(kept).toBe(pools.length === 0 ? 0 : 4);
  });
});

test('a pass is due when the deadline of a version ends', () => {
  expect(holdsEnd(rollout(world(rolling())))).toContain(NOW + 5 * 60_000);
});

describe('an annotation that somebody else set', () => {
  const own = { [KARPENTER]: false };

  test('is neither replaced nor removed', () => {
    const [first] = told(reconcileDoNotDisrupt(rollout(marked(rolling(), own))));
    expect(first).toMatch(new RegExp(`^\\S+ ${AUTOSCALER}=false$`));
    const after = marked(rolling(undefined, SERVED), { ...own, [AUTOSCALER]: true });
    expect(told(reconcileDoNotDisrupt(rollout(after)))[0]).toMatch(new RegExp(` ${AUTOSCALER}=$`));
    expect(told(reconcileDoNotDisrupt(rollout(marked(rolling(undefined, SERVED), own))))).toEqual([]);
  });
});

describe('marks are taken off', () => {
  test('all pods of a release that is being deleted', () => {
    const seen = marked(rolling(), MARKED);
    const { metadata } = seen.release;
    const leaving = { ...seen.release, metadata: { ...metadata, deletionTimestamp: ago(0) } };
    const { actions } = plan({ ...seen, release: leaving }, NOW);
    expect(told(actions)).toHaveLength(seen.pods.length);
    expect(actions).toHaveLength(seen.pods.length);
  });

  test('pods whose Deployment is gone, but not pods that end', () => {
    const seen = world(rolling(undefined, SERVED));
    const [gone] = seen.deployments;
    if (!gone) throw new Error('no Deployment');
    const left = { ...gone, metadata: { ...gone.metadata, name: 'web-a-9' } };
    const [orphan, ending] = podsFor(left, 2, { holdMarks: MARKED }) as [Pod, Pod];
    const metadata = { ...ending.metadata, deletionTimestamp: ago(0) };
    const view = rollout({ ...seen, pods: [...seen.pods, orphan, { ...ending, metadata }] });
    expect(told(reconcileDoNotDisrupt(view))).toEqual([`${orphan.metadata.name} ${KARPENTER}= ${AUTOSCALER}=`]);
  });
});
