import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStore, type Change, type FedStore, type Stored } from './store.ts';

interface Thing extends Stored {
  colour?: string;
}

function thing(name: string, resourceVersion: number, more: { uid?: string; colour?: string } = {}): Thing {
  const { uid = name, colour } = more;
  const metadata = { namespace: 'shop', name, uid, resourceVersion: String(resourceVersion) };
  return { metadata, ...(colour === undefined ? {} : { colour }) };
}

let changes: string[];
let store: FedStore<Thing>;

function describeChange(change: Change<Thing>): string {
  const { name, resourceVersion } = change.object.metadata;
  const old = change.type === 'modified' ? ` (was ${change.old.metadata.resourceVersion})` : '';
  return `${change.type} ${name} ${resourceVersion}${old}`;
}

beforeEach(() => {
  changes = [];
  store = createStore<Thing>({
    indexes: { colour: ({ colour }) => (colour === undefined ? [] : [colour]) },
    onChange: (change) => changes.push(describeChange(change)),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

function version(name: string): string | undefined {
  return store.get('shop', name)?.metadata.resourceVersion;
}

describe('the stream', () => {
  test('adds, modifies and deletes', () => {
    store.replace([thing('a', 1), thing('b', 2)], '5', false);
    store.put(thing('a', 6), 'stream');
    store.remove(thing('b', 7));
    expect(store.list()).toEqual([thing('a', 6)]);
    expect(changes).toEqual(['added a 1', 'added b 2', 'modified a 6 (was 1)', 'deleted b 2']);
    expect(store.version()).toBe('7');
  });

  test('a list reports objects that were deleted while the watch was down', () => {
    store.replace([thing('a', 1), thing('b', 2)], '5', false);
    store.replace([thing('b', 2), thing('c', 8)], '9', false);
    expect(changes.slice(2)).toEqual(['deleted a 1', 'added c 8']);
  });

  test('an object of the same name and another uid is a modification', () => {
    store.replace([thing('a', 1)], '5', false);
    store.replace([thing('a', 8, { uid: 'other' })], '9', false);
    expect(changes.slice(1)).toEqual(['modified a 8 (was 1)']);
  });

  test('versions are compared as integers of any size', () => {
    store.put(thing('a', 9), 'stream');
    store.put(thing('a', 10), 'stream');
    expect(version('a')).toBe('10');
    const big = thing('a', 0);
    big.metadata.resourceVersion = '9007199254740993';
    store.put(big, 'stream');
    const bigger = thing('a', 0);
    bigger.metadata.resourceVersion = '9007199254740994';
    store.put(bigger, 'stream');
    expect(version('a')).toBe('9007199254740994');
  });

  test('the indexes are updated', () => {
    store.put(thing('a', 1, { colour: 'red' }), 'stream');
    store.put(thing('b', 2, { colour: 'red' }), 'stream');
    store.put(thing('a', 3, { colour: 'blue' }), 'stream');
    expect(store.byIndex('colour', 'red').map(({ metadata }) => metadata.name)).toEqual(['b']);
    store.remove(thing('b', 4));
    expect(store.byIndex('colour', 'red')).toEqual([]);
    expect(store.byIndex('colour', 'blue')).toHaveLength(1);
    expect(() => store.byIndex('size', 'x')).toThrow('no index size');
  });

  test('cluster-scoped objects have no namespace', () => {
    const node: Thing = { metadata: { name: 'n', uid: 'n', resourceVersion: '1' } };
    store.put(node, 'stream');
    expect(store.get(undefined, 'n')).toBe(node);
  });
});

describe('read your writes', () => {
  test('a write is visible at once, and its event is no second change', () => {
    store.replace([thing('a', 1)], '5', false);
    store.put(thing('a', 6), 'write');
    expect(version('a')).toBe('6');
    store.put(thing('a', 6), 'stream');
    expect(changes).toEqual(['added a 1', 'modified a 6 (was 1)']);
  });

  test('neither a late event nor an older list restores an older version', () => {
    store.replace([thing('a', 1)], '5', false);
    store.put(thing('a', 8), 'write');
    store.put(thing('b', 9), 'write');
    store.put(thing('a', 6), 'stream');
    store.replace([thing('a', 6)], '7', false);
    expect([version('a'), version('b')]).toEqual(['8', '9']);
    store.replace([], '10', false);
    expect(store.list()).toEqual([]);
  });

  test('a late answer to a write does not restore an object that the stream deleted since', () => {
    store.replace([thing('a', 1)], '5', false);
    store.remove(thing('a', 7));
    store.put(thing('a', 6), 'write');
    expect(store.list()).toEqual([]);
    store.put(thing('a', 8, { uid: 'other' }), 'write');
    expect(version('a')).toBe('8');
  });

  test('a late deletion does not remove a newer object of the same name', () => {
    store.replace([thing('a', 1)], '5', false);
    store.put(thing('a', 8, { uid: 'other' }), 'write');
    store.remove(thing('a', 7));
    expect(version('a')).toBe('8');
  });
});

describe('observed deletions', () => {
  test('are not undone by stale events and lists, until the name is used again', () => {
    store.replace([thing('a', 1)], '5', false);
    store.forget(thing('a', 1));
    expect(changes).toEqual(['added a 1', 'deleted a 1']);
    store.put(thing('a', 6), 'stream');
    store.replace([thing('a', 6)], '7', false);
    store.put(thing('a', 6), 'write');
    expect(store.list()).toEqual([]);
    store.put(thing('a', 9, { uid: 'other' }), 'stream');
    expect(version('a')).toBe('9');
    store.remove(thing('a', 8));
    expect(version('a')).toBe('9');
  });

  test('do not affect a successor of the same name', () => {
    store.replace([thing('a', 6, { uid: 'other' })], '7', false);
    store.forget(thing('a', 1));
    expect(version('a')).toBe('6');
  });

  test('are not remembered forever', () => {
    vi.useFakeTimers();
    store.forget(thing('a', 1));
    vi.advanceTimersByTime(16 * 60_000);
    store.forget(thing('b', 1));
    store.put(thing('a', 2), 'stream');
    store.put(thing('b', 2), 'stream');
    expect(store.list().map(({ metadata }) => metadata.name)).toEqual(['a']);
  });
});

test('a restored older history replaces everything', () => {
  store.replace([thing('a', 100), thing('b', 101)], '200', false);
  store.replace([thing('a', 40)], '50', true);
  expect(store.list()).toEqual([thing('a', 40)]);
  expect(store.version()).toBe('50');
  store.put(thing('a', 60), 'stream');
  expect(version('a')).toBe('60');
});

test('returns the same arrays as long as nothing in them changes', () => {
  store.replace([thing('a', 1, { colour: 'red' }), thing('b', 2, { colour: 'blue' })], '5', false);
  const [all, red, blue] = [store.list(), store.byIndex('colour', 'red'), store.byIndex('colour', 'blue')];
  expect(store.list()).toBe(all);
  store.put(thing('a', 6, { colour: 'red' }), 'stream');
  expect(store.list()).not.toBe(all);
  expect(store.byIndex('colour', 'red')).not.toBe(red);
  expect(store.byIndex('colour', 'blue')).toBe(blue);
  store.remove(thing('b', 7));
  expect(blue).toHaveLength(1);
  expect(store.byIndex('colour', 'blue')).toEqual([]);
});
