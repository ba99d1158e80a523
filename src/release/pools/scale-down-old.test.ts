import { describe, expect, test } from 'vitest';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Deployment, EndpointSlice } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { meta, NOW, rollout } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { rollOutGroup } from './roll-out.ts';

/** All times are in minutes before now. */
interface Switched {
  /** Default: 5, from revision 1 to revision 2. */
  ago?: number;
  /** The track that the Service selected before the switch. */
  from?: string;
  /** Since when no endpoint of the Service names another track. Default: the switch; undefined: seen for the first time. */
  drained?: number | undefined;
  /** Since when no endpoint of any Service names the pods of revision 1. */
  left?: number;
  /** The pods that the endpoints name. */
  named?: string[];
}

const MINUTE = 60_000;

/** The actions on Deployments of pool a that are not its target, and the minutes until the next pass is due. */
function leftBehind(words: Words, switched: Switched = {}) {
  const { ago = 5, from = 'web-a-1', left, named = [] } = switched;
  const base = world(words);
  const switchedAt = new Date(NOW - ago * MINUTE).toISOString();
  const annotations = { [ANNOTATION.switchedAt]: switchedAt, [ANNOTATION.previousTrack]: from };
  const services = base.services.map((one) => ({
    ...one,
    metadata: { ...one.metadata, annotations: { ...annotations, ...one.metadata.annotations } },
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
    said: actions.flatMap(({ message }) =>
      /^(remove|keep \d|make room|set the labels)/.test(message) ? [message] : [],
    ),
    due: due.map((time) => (time - NOW) / MINUTE),
    actions,
  };
}

function sliceOf(named: readonly string[]): EndpointSlice {
  const endpoints = named.map((pod) => ({ pod, ready: true, serving: true, terminating: false }));
  return { metadata: meta('web-a-slice'), service: 'web-a', endpoints };
}

/** Revision 2 serves in pool a, beside a Deployment of revision 1. */
function served(pool: PoolWords = {}, before: FactWords = GOOD, more: Words = {}): Words {
  return {
    pools: { a: { serves: 2, beside: { 1: 2 }, ...pool } },
    revisions: { 1: { in: { a: before, b: GOOD } }, 2: { in: { a: GOOD } } },
    ...more,
  };
}

const TEAM = { labels: { team: 'shop' } };

/** The Deployments as they were before the release had spec.workloadMetadata, whose stored form is not known. */
function unlabelled(): Deployment[] {
  return [...world(served()).deployments];
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

describe('the Deployment that served before', () => {
  showEach([
    ['drains for 30 s after no endpoint names its pods any more', served(), { drained: undefined }, [], [0.5]],
    ['stays while an endpoint names its pods', served(), { named: ['web-a-1-0'] }, [], []],
    [
      'drains for as long as a gateway may need besides',
      { ...served(), spec: { route: { parentRefs: [{ name: 'public' }], settle: '15s' } } },
      { drained: undefined },
      [],
      [0.75],
    ],
    ['drains for 30 s after the last Service left its track', served(), { ago: 40, left: 0.25 }, [], [0.25]],
    ['stands by for 30 minutes after the switch', served(), {}, [], [25]],
    ['stands by with rollback.warmReplicas pods', served({}, GOOD, HALF), {}, ['keep 1 pods of web-a-1 warm'], [25]],
    [
      'stands by with the labels of spec.workloadMetadata',
      served({}, GOOD, { more: { deployments: unlabelled() }, spec: { workloadMetadata: TEAM } }),
      {},
      ['set the labels and annotations of web-a-1'],
      [25],
    ],
    ['is removed after 30 minutes', served(), { ago: 40 }, [REMOVED], []],
    ['does not stand by if another revision served in between', served(), { from: 'web-a-9' }, [REMOVED], []],
    ['does not stand by if it was never good', served({}, { entered: 60 }), {}, [REMOVED], []],
    ['does not stand by if it was taken back', served({}, { ...GOOD, rolledBack: 10 }), {}, [REMOVED], []],
    [
      'does not stand by if a revision that kept its pods was taken back',
      {
        ...served(),
        wants: 2,
        revisions: {
          1: { in: { a: GOOD, b: GOOD } },
          2: { in: { a: GOOD } },
          3: { in: { a: { ...GOOD, keeps: 1, rolledBack: 10 } } },
        },
      },
      {},
      [REMOVED],
      [],
    ],
    [
      'does not stand by if no VM takes its pods',
      served({ beside: { 1: 0 }, unready: UNSCHEDULABLE }),
      {},
      [REMOVED],
      [],
    ],
    [
      'is removed if the served Deployment needs its room',
      served({ ready: 1, unready: UNSCHEDULABLE }),
      {},
      [REMOVED],
      [],
    ],
    ['stays while the served Deployment has no ready pod', served({ ready: 0 }), { ago: 40 }, [], []],
    ['is removed in a pool without replicas', served({ replicas: 0, beside: { 1: 0 } }), { ago: 40 }, [REMOVED], []],
  ]);

  test('is removed only if its Service has not changed since, and does not select its track', () => {
    const { actions } = leftBehind(served(), { ago: 40 });
    const guard = { track: 'web-a-1', services: [{ name: 'web-a', resourceVersion: expect.any(String) as string }] };
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'DeleteDeployment', guard }));
  });
});

describe('a standby in a namespace without quota', () => {
  /** Revision 2 serves in pools a and b, beside revision 1. `ago`: when the Service of pool b was switched. */
  function two(ago: number, more: Words = {}): Words {
    const base = served({}, GOOD, more);
    const words: Words = {
      ...base,
      pools: { ...base.pools, b: { serves: 2, beside: { 1: 2 } } },
      revisions: { ...base.revisions, 2: { in: { a: GOOD, b: GOOD } } },
    };
    const annotations = { [ANNOTATION.switchedAt]: new Date(NOW - ago * MINUTE).toISOString() };
    const services = world(words).services.map(({ metadata, ...one }) => ({
      ...one,
      metadata: metadata.name === 'web-b' ? { ...metadata, annotations } : metadata,
    }));
    return { ...words, more: { ...more.more, services } };
  }
  function refused(...names: string[]): Words {
    return { memory: { overQuota: new Set(names) } };
  }
  /** A quota of pods keeps the served Deployments from growing. */
  function growing(lost: string[] = []): Words {
    const { deployments } = world(two(3));
    const conditions = [
      { type: 'ReplicaFailure', status: 'True', message: 'pods "x" is forbidden: exceeded quota: q' },
    ];
    const served = deployments.map((one) => ({ ...one, status: { ...one.status, conditions } }));
    return { more: { deployments: served }, memory: { lost: new Set(lost) } };
  }
  showEach([
    ['stays if nothing is refused', two(3), {}, [], [25]],
    ['is removed if a new Deployment is refused', two(3, refused('web-c-2')), {}, [REMOVED], []],
    ['stays if another standby goes first', two(9, refused('web-c-2')), {}, [], [25]],
    ['is removed with the other if two are refused', two(9, refused('web-c-2', 'web-d-2')), {}, [REMOVED], []],
    ['drains first', two(3, refused('web-c-2')), { drained: 0.25 }, [], [0.25]],
    ['is removed if the served Deployment cannot grow', two(3, growing()), {}, [REMOVED], []],
    ['stays while a removal may still help', two(3, growing(['Deployment/web-c-1'])), {}, [], [25]],
  ]);
});

describe('a Deployment that is neither wanted nor serves', () => {
  const rolling: Words = {
    pools: { a: { beside: { 2: 1, 3: 1 } } },
    revisions: { 2: { in: { a: { entered: 9 } } }, 3: { in: { a: { entered: 5, clock: 5 } } } },
  };
  const SECOND = 'remove revision 2 from pool a';
  showEach([
    ['drains for 30 s too', rolling, { drained: undefined, from: 'web-a-2' }, [], [0.5]],
    [
      'is removed once it is drained',
      { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } } },
      { from: '' },
      [SECOND],
      [],
    ],
    [
      'stays while the release is paused',
      { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } }, paused: 'x' },
      { from: '' },
      [],
      [],
    ],
    [
      'stays until the wanted revision is known',
      { ...rolling, pools: { a: { beside: { 2: 0, 3: 1 } } }, wants: 4 },
      { from: '' },
      [],
      [],
    ],
  ]);
});

describe('the Deployment that a rollback replaces', () => {
  function back(pool: PoolWords, more: Partial<Observed> = {}): Words {
    return {
      ...served({ beside: { 1: 0 }, unready: UNSCHEDULABLE, ...pool }),
      rollback: { against: 2, to: { a: 1 } },
      more,
    };
  }
  const ROOM = 'make room for the rollback: 2 → 1 pods of web-a-2';
  /** The target has no pods, because a quota does not admit them. */
  const inQuota: Partial<Observed> = {
    deployments: world(back({ ready: 1 })).deployments.map((one) => ({
      ...one,
      status: { ...one.status, conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: q' }] },
    })),
    pods: world(back({ ready: 1 })).pods.filter(({ metadata }) => metadata.labels?.[LABEL.revision] === '2'),
  };
  const forced = world(back({})).rollbacks.map((one) => ({ ...one, spec: { ...one.spec, force: true } }));
  showEach([
    ['is scaled down by its pods that are not ready', back({ ready: 1 }), {}, [ROOM], []],
    ['keeps its ready pods', back({}), {}, [], []],
    ['is scaled down by one ready pod with spec.force', back({}, { rollbacks: forced }), {}, [ROOM], []],
    ['keeps its last pod', back({ replicas: 1 }, { rollbacks: forced }), {}, [], []],
    ['makes place in a quota of pods', back({ ready: 1, unready: {} }, inQuota), {}, [ROOM], []],
    ['keeps its pods if the target needs no room', back({ ready: 1, unready: {} }), {}, [], []],
  ]);
});
