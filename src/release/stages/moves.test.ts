import { describe, expect, test } from 'vitest';
import type { Room } from '../../scheduling/demand.ts';
import type { Node } from '../../scheduling/objects.ts';
import { vm } from '../../scheduling/testing.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { heldAt, keyOn, onVms, placedWorld } from './moves-testing.ts';
import type { Runs } from './moves-testing.ts';
import { placedAsWanted } from './moves.ts';
import type { Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import { ago, NOW, revision, spec } from '../testing.ts';
import { view } from '../view.ts';

/** Revision 1 serves in both pools on the VMs with their names. The spec names other VMs for the pools in `moved`. */
const ENTERED = { at: ago(90), attempt: 1, key: keyOn('a') };
const SERVED: PoolFacts = { entered: ENTERED, healthySince: ago(80), good: ago(70) };
const IN_B: PoolFacts = { ...SERVED, entered: { ...ENTERED, key: keyOn('b') } };
const first = spec();

function served(more: { a?: PoolFacts; b?: PoolFacts } = {}): ReturnType<typeof revision> {
  return revision(1, first, { pools: { a: SERVED, b: IN_B, ...more }, approvals: {} });
}

const A: Omit<Runs, 'of'> = { pool: 'a', on: 'a', ready: 1, serves: true };
const B: Omit<Runs, 'of'> = { pool: 'b', on: 'b', ready: 2, serves: true };
const NEW = ['new-a', 'new-b'].map((name) => vm(name, { labels: { pool: name } }));

function rooms(vms: readonly Node[], pods = 10): Observed['rooms'] {
  return ({ pool }) =>
    vms
      .filter(({ metadata }) => metadata.labels['pool'] === pool)
      .map((node): Room => ({ node: { ...node, allocatable: { ...node.allocatable, pods } }, pods: [] }));
}

function world(
  moved: Record<string, string>,
  {
    of = served(),
    runs = [A, B],
    ...more
  }: Partial<Observed> & { of?: ReturnType<typeof served>; runs?: Omit<Runs, 'of'>[] } = {},
): Observed {
  const wanted = onVms(first, moved);
  const made = runs.map((one) => ({ ...one, of }));
  return placedWorld(wanted, [of], made, { vms: NEW, rooms: rooms(NEW), ...more });
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

const MOVED = { at: ago(1), key: keyOn('new-a') };
const LATE = { at: ago(20), key: keyOn('new-a') };

describe('a serving revision and the VMs that the spec names', () => {
  test('the start of a move is one write, which changes no other fact', () => {
    expect(recorded(world({ a: 'new-a' }))).toEqual({
      a: { ...SERVED, placed: { at: new Date(NOW).toISOString(), key: keyOn('new-a') } },
      b: IN_B,
    });
  });

  test('a revision on these VMs needs no write', () => {
    expect(
      plan(world({}), NOW).actions.filter(({ kind }) => kind !== 'CreateLedger' && kind !== 'ApplyBudget'),
    ).toEqual([]);
  });

  test.each<[string, Observed, Record<string, string | undefined>]>([
    ['stages move one after the other', world({ a: 'new-a', b: 'new-b' }), { a: 'Entering', b: 'Waiting' }],
    ['a move waits for room', world({ a: 'new-a' }, { rooms: rooms(NEW, 0) }), { a: 'Waiting' }],
    [
      'a stage without room does not block the next stage',
      world({ a: 'new-a', b: 'new-b' }, { rooms: rooms(NEW.slice(1)) }),
      { a: 'Waiting', b: 'Entering' },
    ],
    [
      'a stage without ready pods does not block the next stage',
      world({ a: 'new-a', b: 'new-b' }, { runs: [{ ...A, ready: 0, replicas: 1 }, B] }),
      { a: 'Entering', b: 'Entering' },
    ],
    [
      'a stage waits for the move of the stage before',
      world({ a: 'new-a', b: 'new-b' }, { of: served({ a: { ...SERVED, placed: MOVED } }) }),
      { a: 'Moving', b: 'Waiting' },
    ],
    [
      'a stage with a late move does not block the next stage',
      world({ a: 'new-a', b: 'new-b' }, { of: served({ a: { ...SERVED, placed: LATE } }) }),
      { a: 'Late', b: 'Entering' },
    ],
    [
      'a move does not wait for work on VMs',
      world(
        { a: 'new-a' },
        { rooms: rooms([...NEW, vm('new-2', { labels: { pool: 'new-a' }, unschedulable: true })]) },
      ),
      { a: 'Entering' },
    ],
  ])('%s', (_title, seen, expected) => {
    expect(states(seen)).toMatchObject(expected);
  });

  test('a move does not wait for room with capacity Proceed', () => {
    const seen = world({ a: 'new-a' }, { rooms: rooms([]) });
    expect(
      states({ ...seen, release: { ...seen.release, spec: { ...seen.release.spec, capacity: 'Proceed' } } }),
    ).toMatchObject({
      a: 'Entering',
    });
  });

  test('a move starts in a held pool and in a paused release', () => {
    const rollbacks = [heldAt(1, ago(5), 2, ['a'])];
    expect(states(world({ a: 'new-a' }, { rollbacks }))).toMatchObject({ a: 'Entering' });
    const seen = world({ a: 'new-a' });
    const paused = { ...seen.release, spec: { ...seen.release.spec, paused: true } };
    expect(states({ ...seen, release: paused })).toMatchObject({ a: 'Entering' });
  });
});

describe('a started move', () => {
  const of = served({ a: { ...SERVED, placed: MOVED } });

  test('is the target of its pool, and the Service switches when the new pods are ready', () => {
    const seen = view(world({ a: 'new-a' }, { of }), NOW);
    const [pool] = seen.pools;
    expect(pool?.target).toMatchObject({ mode: 'Move', key: keyOn('new-a') });
    const runs = [A, B, { pool: 'a', on: 'new-a', ready: 1 }];
    const actions = plan(world({ a: 'new-a' }, { of, runs }), NOW).actions;
    expect(actions.filter(({ kind }) => kind === 'ApplyService')).toMatchObject([
      { service: { metadata: { name: 'web-a' } } },
    ]);
  });

  test('is reported, and is reported as late after the deadline', () => {
    const waiting = { pool: 'a', on: 'new-a', ready: 0, replicas: 1, unschedulable: 'no VM' };
    const runs = [A, B, waiting];
    expect(placedAsWanted(view(world({ a: 'new-a' }, { of, runs }), NOW))).toMatchObject({
      status: 'False',
      reason: 'Moving',
    });
    const late = served({ a: { ...SERVED, placed: LATE } });
    const seen = world({ a: 'new-a' }, { of: late, runs });
    expect(placedAsWanted(view(seen, NOW))).toMatchObject({ reason: 'MoveNotReady' });
    expect(placedAsWanted(view(seen, NOW)).message).toMatch(/0 of 1 pods are ready .*: pod web-a-1-.*: no VM; /);
    expect(recorded(seen)).toBeUndefined();
  });

  test('is done when the pool serves from the new VMs', () => {
    const runs = [{ ...A, on: 'new-a' }, B];
    expect(recorded(world({ a: 'new-a' }, { of, runs }))?.['a']?.placed).toEqual({
      ...MOVED,
      done: new Date(NOW).toISOString(),
    });
  });

  test('continues if an earlier operator recorded it as an entry', () => {
    const before = served({ a: { ...SERVED, entered: { ...ENTERED, at: ago(1), key: keyOn('new-a') } } });
    const seen = world({ a: 'new-a' }, { of: before, runs: [A, B, { pool: 'a', on: 'new-a', ready: 0, replicas: 1 }] });
    expect(states(seen)).toMatchObject({ a: 'Moving' });
    expect(recorded(seen)).toBeUndefined();
    expect(plan(seen, NOW).actions.filter(({ kind }) => kind === 'DeleteDeployment')).toEqual([]);
  });

  test('ends if the spec names the previous VMs again', () => {
    expect(states(world({}, { of }))).toMatchObject({ a: undefined });
  });
});

describe('a soak', () => {
  const since = new Date(NOW - 30_000).toISOString();
  const soaking: PoolFacts = { entered: ENTERED, healthySince: since };

  test('continues while the serving revision waits for room on other VMs', () => {
    const seen = world({ a: 'new-a' }, { of: served({ a: soaking }), rooms: rooms([]) });
    expect(states(seen)).toMatchObject({ a: 'Waiting' });
    expect(recorded(seen)).toBeUndefined();
  });

  test('continues while a rolling update moves the pods to other VMs', () => {
    const strategy = { type: 'RollingUpdate' } as const;
    const wanted = onVms(spec({ strategy, service: undefined }), { a: 'new-a' });
    const placed = { at: ago(1), key: keyOn('new-a', 'RollingUpdate') };
    const of = revision(1, wanted, { pools: { a: { ...soaking, placed } }, approvals: {} });
    const runs: Runs[] = [{ pool: 'a', of, on: 'new-a', ready: 0, replicas: 1, strategy: 'RollingUpdate' }];
    const seen = placedWorld(wanted, [of], runs, { vms: NEW });
    expect(states(seen)).toMatchObject({ a: 'Moving' });
    expect(recorded(seen)).toBeUndefined();
    const unmoved = revision(1, wanted, {
      pools: { a: { ...soaking, placed: { ...placed, done: ago(1) } } },
      approvals: {},
    });
    expect(recorded(placedWorld(wanted, [unmoved], runs, { vms: NEW }))?.['a']?.healthySince).toBeUndefined();
  });
});

describe('a new version with other VMs in the same spec', () => {
  const wanted = onVms(spec({ version: '2.0.0' }), { a: 'new-a' });

  test('enters, and the old version does not move', () => {
    const next = revision(2, wanted);
    const seen = placedWorld(
      wanted,
      [served(), next],
      [A, B].map((one) => ({ ...one, of: served() })),
      { vms: NEW, rooms: rooms(NEW) },
    );
    const written = plan(seen, NOW).actions.filter(({ kind }) => kind === 'AnnotateRevision');
    expect(written).toMatchObject([{ target: { name: 'web-2' } }]);
  });

  test('fails, and the serving revision moves', () => {
    const entered = { at: ago(30), attempt: 1, key: keyOn('new-a') };
    const failed = { at: ago(20), attempt: 1, reason: 'CrashLoop', message: 'crashes' };
    const next = revision(2, wanted, { pools: { a: { entered, failed } }, approvals: {} });
    const seen = placedWorld(
      wanted,
      [served(), next],
      [A, B].map((one) => ({ ...one, of: served() })),
      { vms: NEW, rooms: rooms(NEW) },
    );
    expect(states(seen)).toMatchObject({ a: 'Entering' });
  });
});
