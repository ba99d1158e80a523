import { describe, expect, test } from 'vitest';
import type { Room } from '../../scheduling/demand.ts';
import type { Node } from '../../scheduling/objects.ts';
import { vm } from '../../scheduling/testing.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { placedAsWanted } from './moves.ts';
import type { Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import type { Facts } from '../record/recorded-data.ts';
import { NOW } from '../testing.ts';
import { view } from '../view.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { factsIn, keyOn, unscheduled, world } from '../world-testing.ts';

const SERVED: FactWords = { entered: 90, healthySince: 80, good: 70 };
const NEW = ['new-a', 'new-b'].map((name) => vm(name, { labels: { pool: name } }));

function rooms(vms: readonly Node[], pods = 10): Observed['rooms'] {
  return ({ pool }) =>
    vms
      .filter(({ metadata }) => metadata.labels['pool'] === pool)
      .map((node): Room => ({ node: { ...node, allocatable: { ...node.allocatable, pods } }, pods: [] }));
}

interface Changes extends Words {
  /** More facts of revision 1, by pool. */
  facts?: { a?: FactWords; b?: FactWords };
}

/** Revision 1 serves in both pools on the VMs with their names. The spec names other VMs for the pools in `moved`. */
function words(moved: Record<string, string>, { facts, pools, revisions, more, ...others }: Changes = {}): Words {
  const on = (pool: string): PoolWords => ({ on: pool, vms: moved[pool] ?? pool, ...pools?.[pool] });
  const served = (pool: 'a' | 'b') => ({ ...SERVED, key: keyOn(pool), ...facts?.[pool] });
  return {
    wants: 1,
    pools: { a: on('a'), b: on('b') },
    revisions: { 1: { in: { a: served('a'), b: served('b') } }, ...revisions },
    more: { vms: NEW, rooms: rooms(NEW), ...more },
    ...others,
  };
}

function moving(moved: Record<string, string>, changes: Changes = {}): Observed {
  return world(words(moved, changes));
}

/** The facts of revision 1 that a pass writes. */
function recorded(seen: Observed): Facts['pools'] | undefined {
  const [action] = plan(seen, NOW).actions.filter(({ kind }) => kind === 'AnnotateRevision');
  const text = action?.kind === 'AnnotateRevision' ? action.annotations[ANNOTATION.facts] : undefined;
  return text === undefined ? undefined : (JSON.parse(text) as Facts).pools;
}

function states(seen: Observed): Record<string, string | undefined> {
  const now = view(seen, NOW);
  return Object.fromEntries(now.pools.map((pool) => [pool.name, pool.move?.state]));
}

const MOVED = { placed: 1 };
const LATE = { placed: 20 };

describe('a serving revision and the VMs that the spec names', () => {
  test('the start of a move is one write, which changes no other fact', () => {
    const told = words({ a: 'new-a' });
    const facts = (pool: string) => factsIn(told, pool, { ...SERVED, key: keyOn(pool) });
    expect(recorded(world(told))).toEqual({
      a: { ...facts('a'), placed: { at: new Date(NOW).toISOString(), key: keyOn('new-a') } },
      b: facts('b'),
    });
  });

  test('a revision on these VMs needs no write', () => {
    expect(
      plan(moving({}), NOW).actions.filter(({ kind }) => kind !== 'CreateLedger' && kind !== 'ApplyBudget'),
    ).toEqual([]);
  });

  test.each<[string, Observed, Record<string, string | undefined>]>([
    ['stages move one after the other', moving({ a: 'new-a', b: 'new-b' }), { a: 'Entering', b: 'Waiting' }],
    ['a move waits for room', moving({ a: 'new-a' }, { more: { rooms: rooms(NEW, 0) } }), { a: 'Waiting' }],
    [
      'a stage without room does not block the next stage',
      moving({ a: 'new-a', b: 'new-b' }, { more: { rooms: rooms(NEW.slice(1)) } }),
      { a: 'Waiting', b: 'Entering' },
    ],
    [
      'a stage without ready pods does not block the next stage',
      moving({ a: 'new-a', b: 'new-b' }, { pools: { a: { ready: 0 } } }),
      { a: 'Entering', b: 'Entering' },
    ],
    [
      'a stage waits for the move of the stage before',
      moving({ a: 'new-a', b: 'new-b' }, { facts: { a: MOVED } }),
      { a: 'Moving', b: 'Waiting' },
    ],
    [
      'a stage with a late move does not block the next stage',
      moving({ a: 'new-a', b: 'new-b' }, { facts: { a: LATE } }),
      { a: 'Late', b: 'Entering' },
    ],
    [
      'a move does not wait for work on VMs',
      moving(
        { a: 'new-a' },
        { more: { rooms: rooms([...NEW, vm('new-2', { labels: { pool: 'new-a' }, unschedulable: true })]) } },
      ),
      { a: 'Entering' },
    ],
  ])('%s', (_title, seen, expected) => {
    expect(states(seen)).toMatchObject(expected);
  });

  test('a move does not wait for room with capacity Proceed', () => {
    const seen = moving({ a: 'new-a' }, { spec: { capacity: 'Proceed' }, more: { rooms: rooms([]) } });
    expect(states(seen)).toMatchObject({ a: 'Entering' });
  });

  test('a move starts in a held pool and in a paused release', () => {
    const rollback = { against: 2, to: { a: 1 } };
    expect(states(moving({ a: 'new-a' }, { rollback }))).toMatchObject({ a: 'Entering' });
    const paused = moving({ a: 'new-a' }, { spec: { paused: true } });
    expect(states(paused)).toMatchObject({ a: 'Entering' });
  });
});

describe('a started move', () => {
  test('is the target of its pool, and the Service switches when the new pods are ready', () => {
    const [pool] = view(moving({ a: 'new-a' }, { facts: { a: MOVED } }), NOW).pools;
    expect(pool?.target).toMatchObject({ mode: 'Move', key: keyOn('new-a') });
    const { actions } = plan(moving({ a: 'new-a' }, { facts: { a: MOVED }, pools: { a: { moved: 2 } } }), NOW);
    expect(actions.filter(({ kind }) => kind === 'ApplyService')).toMatchObject([
      { desired: { metadata: { name: 'web-a' } } },
    ]);
  });

  test('is reported, and is reported as late after the deadline', () => {
    const pools = { a: { moved: 0, unready: unscheduled('no VM') } };
    expect(placedAsWanted(view(moving({ a: 'new-a' }, { facts: { a: MOVED }, pools }), NOW))).toMatchObject({
      status: 'False',
      reason: 'Moving',
    });
    const seen = moving({ a: 'new-a' }, { facts: { a: LATE }, pools });
    expect(placedAsWanted(view(seen, NOW))).toMatchObject({ reason: 'MoveNotReady' });
    expect(placedAsWanted(view(seen, NOW)).message).toMatch(/0 of 2 pods are ready .*: pod web-a-1-.*: no VM; /);
    expect(recorded(seen)).toBeUndefined();
  });

  test('is done when the pool serves from the new VMs', () => {
    const seen = moving({ a: 'new-a' }, { facts: { a: MOVED }, pools: { a: { on: 'new-a' } } });
    expect(recorded(seen)?.['a']?.placed).toMatchObject({ key: keyOn('new-a'), done: new Date(NOW).toISOString() });
  });

  test('continues if an earlier operator recorded it as an entry', () => {
    const facts = { a: { entered: 1, key: keyOn('new-a') } };
    const seen = moving({ a: 'new-a' }, { facts, pools: { a: { moved: 0 } } });
    expect(states(seen)).toMatchObject({ a: 'Moving' });
    expect(recorded(seen)).toBeUndefined();
    expect(plan(seen, NOW).actions.filter(({ kind }) => kind === 'DeleteDeployment')).toEqual([]);
  });

  test('ends if the spec names the previous VMs again', () => {
    expect(states(moving({}, { facts: { a: { placed: 1 } } }))).toMatchObject({ a: undefined });
  });
});

describe('a soak', () => {
  const soaking: FactWords = { entered: 90, healthySince: 0.5, good: undefined };

  test('continues while the serving revision waits for room on other VMs', () => {
    const seen = moving({ a: 'new-a' }, { facts: { a: soaking }, more: { rooms: rooms([]) } });
    expect(states(seen)).toMatchObject({ a: 'Waiting' });
    expect(recorded(seen)).toBeUndefined();
  });

  test('continues while a rolling update moves the pods to other VMs', () => {
    const inPlace: Words = { spec: { strategy: { type: 'RollingUpdate' }, service: undefined } };
    const pools = { a: { on: 'new-a', ready: 0 }, b: { serves: 0 } };
    const rolling = (facts: FactWords) =>
      moving({ a: 'new-a' }, { facts: { a: { ...soaking, ...facts } }, pools, ...inPlace });
    const seen = rolling({ placed: 1 });
    expect(states(seen)).toMatchObject({ a: 'Moving' });
    expect(recorded(seen)).toBeUndefined();
    const arrived = recorded(rolling({ placed: 1, arrived: 1 }))?.['a'];
    expect(arrived?.entered).toBeDefined();
    expect(arrived?.healthySince).toBeUndefined();
  });
});

describe('a new version with other VMs in the same spec', () => {
  function next(facts: Record<string, FactWords>): Observed {
    return moving({ a: 'new-a' }, { wants: 2, revisions: { 2: { in: facts } } });
  }

  test('enters, and the old version does not move', () => {
    const written = plan(next({}), NOW).actions.filter(({ kind }) => kind === 'AnnotateRevision');
    expect(written).toMatchObject([{ target: { name: 'web-2' } }]);
  });

  test('fails, and the serving revision moves', () => {
    expect(states(next({ a: { entered: 30, failed: 20 } }))).toMatchObject({ a: 'Entering' });
  });
});
