import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import type { EndpointSlice } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { meta, NOW, rollout } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { rollOutGroup } from './roll-out.ts';

/** All times are in minutes before now. */
interface Switched {
  /** Default: 5, from revision 1 to revision 2. */
  ago?: number;
  /** The track that was selected before. */
  from?: string;
  /** No endpoint of the Service names another track. Default: since the switch; with undefined this is seen for the first time. */
  drained?: number | undefined;
  /** No endpoint of any Service names the pods of revision 1. */
  left?: number;
  /** The pods that the endpoints name. */
  named?: string[];
}

const MINUTE = 60_000;

/** What happens in pool a to the Deployments that are not its target, and in how many minutes something is due. */
function leftBehind(words: Words, switched: Switched = {}) {
  const { ago = 5, from = 'web-a-1', left, named = [] } = switched;
  const base = world(words);
  const switchedAt = new Date(NOW - ago * MINUTE).toISOString();
  const annotations = { [ANNOTATION.switchedAt]: switchedAt, [ANNOTATION.previousTrack]: from };
  const services = base.services.map((one) => ({
    ...one,
    metadata: { ...one.metadata, annotations: { ...one.metadata.annotations, ...annotations } },
  }));
  const drained = 'drained' in switched ? switched.drained : ago;
  const known = drained !== undefined && { track: 'web-a-2', switchedAt, since: NOW - drained * MINUTE };
  const memory: Observed['memory'] = {
    ...base.memory,
    drained: {
      services: new Map(known ? [['web-a', known]] : []),
      tracks: new Map(left === undefined ? [] : [['web-a-1', NOW - left * MINUTE]]),
    },
  };
  const seen = rollout({ ...base, services, memory, slices: [sliceOf(named)] });
  const [group] = seen.groups;
  const { actions, due } = group ? rollOutGroup(seen, group) : { actions: [], due: [] };
  return {
    said: actions.flatMap(({ message }) => (/^(remove|keep \d|give)/.test(message) ? [message] : [])),
    due: due.map((time) => (time - NOW) / MINUTE),
    actions,
  };
}

function sliceOf(named: readonly string[]): EndpointSlice {
  const endpoints = named.map((pod) => ({ pod, ready: true, serving: true, terminating: false }));
  return { metadata: meta('web-a-slice'), service: 'web-a', endpoints };
}

/** Revision 2 serves in pool a, beside what revision 1 has there. */
function served(pool: PoolWords = {}, before: FactWords = GOOD, more: Words = {}): Words {
  return {
    pools: { a: { serves: 2, beside: { 1: 2 }, ...pool } },
    revisions: { 1: { in: { a: before, b: GOOD } }, 2: { in: { a: GOOD } } },
    ...more,
  };
}

const REMOVED = 'remove revision 1 from pool a';
const HALF = { spec: { rollback: { warmReplicas: '50%' } } };
const UNSCHEDULABLE = { unschedulable: 'no room', ready: false };

type Row = [what: string, words: Words, switched: Switched, said: string[], due: number[]];

function showEach(rows: readonly Row[]): void {
  test.each(rows)('%s', (_what, words, switched, said, due) => {
    expect(leftBehind(words, switched)).toMatchObject({ said, due });
  });
}

describe('what served before', () => {
  showEach([
    ['drains for 30 s from when no endpoint names it', served(), { drained: undefined }, [], [0.5]],
    ['stays while an endpoint names it', served(), { named: ['web-a-1-0'] }, [], []],
    ['drains from when the last Service left it', served(), { ago: 40, left: 0.25 }, [], [0.25]],
    ['stands by for 30 minutes after the switch', served(), {}, [], [25]],
    [
      'stands by with the pods that rollback.warmReplicas asks for',
      served({}, GOOD, HALF),
      {},
      ['keep 1 pods of web-a-1 warm'],
      [25],
    ],
    ['goes after that', served(), { ago: 40 }, [REMOVED], []],
    ['does not stand by where another served in between', served(), { from: 'web-a-9' }, [REMOVED], []],
    ['does not stand by where it was never good', served({}, { entered: 60 }), {}, [REMOVED], []],
    ['does not stand by where it was taken back', served({}, { ...GOOD, rolledBack: 10 }), {}, [REMOVED], []],
    [
      'does not stand by for pods that no VM takes',
      served({ beside: { 1: 0 }, unready: UNSCHEDULABLE }),
      {},
      [REMOVED],
      [],
    ],
    ['gives its room to what serves', served({ ready: 1, unready: UNSCHEDULABLE }), {}, [REMOVED], []],
    ['stays while nothing that serves is ready', served({ ready: 0 }), { ago: 40 }, [], []],
    ['goes while nothing is to serve', served({ replicas: 0, beside: { 1: 0 } }), { ago: 40 }, [REMOVED], []],
  ]);

  test('is removed only while its Service is as it was seen, and does not select it', () => {
    const { actions } = leftBehind(served(), { ago: 40 });
    const guard = { service: 'web-a', track: 'web-a-1', resourceVersion: expect.any(String) as string };
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'DeleteDeployment', guard }));
  });
});

describe('what is neither wanted nor serves', () => {
  const rolling: Words = {
    pools: { a: { beside: { 2: 1, 3: 1 } } },
    revisions: { 2: { in: { a: { entered: 9 } } }, 3: { in: { a: { entered: 5, clock: 5 } } } },
  };
  const SECOND = 'remove revision 2 from pool a';
  showEach([
    ['drains for 30 s, too', rolling, { drained: undefined, from: 'web-a-2' }, [], [0.5]],
    ['goes once it is drained', { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } } }, { from: '' }, [SECOND], []],
    [
      'stays while the release is paused',
      { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } }, paused: 'x' },
      { from: '' },
      [],
      [],
    ],
    [
      'stays until it is known what is wanted',
      { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } }, wants: 4 },
      { from: '' },
      [],
      [],
    ],
  ]);
});

describe('what a rollback leaves', () => {
  function back(pool: PoolWords, more: Partial<Observed> = {}): Words {
    return {
      ...served({ beside: { 1: 0 }, unready: UNSCHEDULABLE, ...pool }),
      rollback: { against: 2, to: { a: 1 } },
      more,
    };
  }
  const forced = world(back({})).rollbacks.map((one) => ({ ...one, spec: { ...one.spec, force: true } }));
  showEach([
    ['gives way with its pods that are not ready', back({ ready: 1 }), {}, ['give way: 2 → 1 pods of web-a-2'], []],
    ['keeps those that are', back({}), {}, [], []],
    [
      'gives way with one that is where a person forces it',
      back({}, { rollbacks: forced }),
      {},
      ['give way: 2 → 1 pods of web-a-2'],
      [],
    ],
    ['never gives its last pod', back({ replicas: 1 }, { rollbacks: forced }), {}, [], []],
    ['gives way to nothing that needs no room', back({ ready: 1, unready: {} }), {}, [], []],
  ]);
});
