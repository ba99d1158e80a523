// test/integration/fit.test.ts compares the count with the real scheduler in random pools.
import { describe, expect, it } from 'vitest';
import type { Demand, Room } from './demand.ts';
import { amountText, countRoom } from './fit.ts';
import type { Node, PlacedPod } from './objects.ts';
import { podShape } from './shape.ts';
import { placedPod, vm, shortage } from './testing.ts';

function rooms(nodes: readonly Node[], pods: readonly PlacedPod[] = []): Room[] {
  return nodes.map((node) => ({ node, pods: pods.filter(({ nodeName }) => nodeName === node.metadata.name) }));
}

function demand(count: number, own: Room[], more: Partial<Demand> & { cpu?: string; spec?: object } = {}): Demand {
  const { cpu = '1500m', spec = {}, ...rest } = more;
  const containers = [{ name: 'main', image: 'web', resources: { requests: { cpu } } }];
  return {
    pool: 'a',
    shape: podShape({ metadata: { labels: { app: 'web' } }, spec: { containers, ...spec } }),
    count,
    rooms: own,
    leaving: new Set(),
    labelled: [],
    ...rest,
  };
}

/** A VM of 4 cores has room for two pods of 1500m. */
const pair = [vm('a-1'), vm('a-2')];

it('counts pods per VM, not the sum of the free resources', () => {
  expect(shortage([demand(4, rooms(pair))])).toBeUndefined();
  expect(shortage([demand(5, rooms(pair))])).toEqual({
    pool: 'a',
    fits: 4,
    of: 5,
    message: 'pool a has room for 4 of 5 new pods: 2 of 2 VMs take them; each pod requests 1500m CPU',
  });
});

it('counts existing pods, except those that leave first', () => {
  const there = placedPod('a-1', 'there', { requests: { cpu: 3000 } });
  expect(shortage([demand(4, rooms(pair, [there]))])).toMatchObject({ fits: 2 });
  expect(shortage([demand(4, rooms(pair, [there]), { leaving: new Set(['uid-there']) })])).toBeUndefined();
});

it('counts the maximum number of pods per VM', () => {
  const small = { allocatable: { cpu: 4000, pods: 2 } };
  const own = rooms([vm('a-1', small)], [placedPod('a-1', 'there')]);
  expect(shortage([demand(2, own, { cpu: '1m' })])).toMatchObject({ fits: 1 });
});

it('ignores VMs that are not ready, cordoned or closed to these pods', () => {
  const closed = vm('c', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] });
  const all = [vm('a', { ready: false }), vm('b', { unschedulable: true }), closed];
  expect(shortage([demand(1, rooms(all))])?.message).toBe(
    'pool a has room for 0 of 1 new pods: no VM takes them: 1 of 3 cordoned or being removed, 1 of 3 not ready, 1 of 3 with the taint gpu:NoSchedule, which the pods do not tolerate',
  );
});

it('nothing fits on a VM without the requested resource', () => {
  const containers = [{ name: 'main', image: 'web', resources: { limits: { 'example.com/gpu': 1 } } }];
  expect(shortage([demand(1, rooms(pair), { spec: { containers } })])?.message).toMatch(
    /each pod requests 1 example.com\/gpu$/,
  );
});

describe('several pools at once', () => {
  it('do not affect each other if they share no VMs', () => {
    const a = demand(2, rooms([vm('a-1')]));
    const b = demand(2, rooms([vm('b-1')]), { pool: 'b' });
    expect(shortage([a, b])).toBeUndefined();
  });

  it('must all fit on shared VMs', () => {
    const a = demand(2, rooms(pair));
    expect(shortage([a, demand(2, rooms(pair), { pool: 'b' })])).toBeUndefined();
    expect(shortage([a, demand(3, rooms(pair), { pool: 'b' })])).toMatchObject({ pool: 'a', fits: 1 });
  });

  it('use the places on the same VMs one after the other', () => {
    const own = rooms(pair);
    expect(shortage([demand(2, own), demand(3, own, { pool: 'b' })])).toMatchObject({ pool: 'b', fits: 2, of: 3 });
  });

  it('are placed as the scheduler does if pods of one are bigger: on the VM with the most free resources', () => {
    const small = demand(2, rooms(pair), { cpu: '1000m' });
    const big = demand(2, rooms(pair), { pool: 'b', cpu: '3000m' });
    expect(shortage([small, big])).toBeUndefined();
    expect(shortage([big, small])).toBeUndefined();
    expect(shortage([{ ...small, count: 3 }, big])).toMatchObject({ pool: 'a', fits: 2, of: 3 });
  });

  it('do not fit if the order decides, because it is unknown', () => {
    // One small pod on each VM leaves no room for a pod that needs a whole VM.
    const small = demand(2, rooms(pair), { cpu: '1000m' });
    expect(shortage([small, demand(1, rooms(pair), { pool: 'b', cpu: '4000m' })])).toMatchObject({
      pool: 'b',
      fits: 0,
    });
  });
});

describe('room that is reserved for others', () => {
  const own = rooms(pair);

  it('is used first', () => {
    const promised = demand(2, own, { pool: 'other' });
    expect(shortage([demand(2, own)], [promised])).toBeUndefined();
    expect(shortage([demand(3, own)], [promised])).toMatchObject({ pool: 'a', fits: 2, of: 3 });
  });

  it('does not exceed the VMs: a reservation that does not fit blocks nothing', () => {
    const containers = [{ name: 'main', image: 'web', resources: { requests: { cpu: '64' } } }];
    expect(shortage([demand(4, own)], [demand(9, own, { pool: 'other', spec: { containers } })])).toBeUndefined();
  });

  it('takes pods into account that leave first', () => {
    const there = placedPod('a-1', 'there', { requests: { cpu: 3000 } });
    const held = rooms(pair, [there]);
    const moving = demand(2, held, { pool: 'other', leaving: new Set(['uid-there']) });
    expect(shortage([demand(2, held)], [moving])).toBeUndefined();
    expect(shortage([demand(3, held)], [moving])).toMatchObject({ fits: 2 });
  });
});

describe('the work of a count', () => {
  const nodes = Array.from({ length: 250 }, (_, index) =>
    vm(`a-${index}`, { labels: { zone: `z-${index % 3}`, host: `a-${index}` } }),
  );
  const own = rooms(nodes);
  const labelSelector = { matchLabels: { app: 'web' } };
  const topologySpreadConstraints = ['zone', 'host'].map((topologyKey) => ({
    topologyKey,
    maxSkew: 2,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector,
  }));

  it('does not grow with the replicas', () => {
    const steps = 10_000;
    const spec = { topologySpreadConstraints };
    expect(countRoom([demand(100, own, { cpu: '10m', spec })], [], steps)).toEqual({ kind: 'Fits' });
    expect(countRoom([demand(100_000, own, { cpu: '1m' })], [], steps)).toMatchObject({ kind: 'Short', fits: 27_500 });
    const [zone] = topologySpreadConstraints;
    const zoned = demand(100_000, own, { cpu: '1m', spec: { topologySpreadConstraints: [zone] } });
    expect(countRoom([zoned], [], steps)).toMatchObject({ kind: 'Short', fits: 27_392 });
  });

  it('ends when it would cost too much, with a message', () => {
    const spec = { topologySpreadConstraints: topologySpreadConstraints.map((one) => ({ ...one, maxSkew: 100 })) };
    expect(countRoom([demand(20_000, own, { cpu: '1m', spec })], [], 10_000)).toEqual({
      kind: 'Unknown',
      message: 'room for pool a was not counted: too many VMs and domains for so many pods',
    });
  });
});

describe('topology spread', () => {
  const zoned = [
    vm('a-1', { labels: { zone: 'a' } }),
    vm('b-1', { labels: { zone: 'b' } }),
    vm('b-2', { labels: { zone: 'b' } }),
  ];
  function spread(more: object = {}): object {
    const labelSelector = { matchLabels: { app: 'web' } };
    const one = { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector, ...more };
    return { topologySpreadConstraints: [one] };
  }

  it('ends when the difference to a full zone would exceed maxSkew', () => {
    expect(shortage([demand(5, rooms(zoned), { spec: spread() })])).toBeUndefined();
    expect(shortage([demand(6, rooms(zoned), { spec: spread() })])).toMatchObject({ fits: 5 });
  });

  it('counts existing pods with the same labels', () => {
    const there = placedPod('b-1', 'there');
    const labelled = [{ labels: { app: 'web' }, pods: [there] }];
    const full = [zoned[0], zoned[1]].filter((node) => node !== undefined);
    const blocked = full.map((node) => (node.metadata.name === 'a-1' ? { ...node, unschedulable: true } : node));
    expect(shortage([demand(1, rooms(blocked, [there]), { spec: spread(), labelled })])).toMatchObject({ fits: 0 });
    expect(shortage([demand(1, rooms(blocked, [there]), { spec: spread() })])).toBeUndefined();
  });

  it('counts a cordoned zone as empty, unless taints are honoured', () => {
    const half = zoned.map((node) => (node.metadata.name === 'a-1' ? { ...node, unschedulable: true } : node));
    expect(shortage([demand(2, rooms(half), { spec: spread() })])).toMatchObject({ fits: 1 });
    expect(shortage([demand(2, rooms(half), { spec: spread({ nodeTaintsPolicy: 'Honor' }) })])).toBeUndefined();
  });

  it('places nothing on VMs without the label', () => {
    expect(shortage([demand(1, rooms(pair), { spec: spread() })])).toMatchObject({ fits: 0 });
  });

  describe('with two pools on the same VMs', () => {
    const hosts = ['a-1', 'a-2', 'a-3'].map((host) => vm(host, { labels: { host }, allocatable: { pods: 3 } }));
    const old = ['a-1', 'a-2'].map((host) => placedPod(host, `old-${host}`));
    const labelled = [{ labels: { app: 'web' }, pods: old }];
    const tight = rooms(
      hosts.map((host) => (host.metadata.name === 'a-3' ? { ...host, allocatable: { pods: 1 } } : host)),
      old,
    );
    const over = { spec: spread({ topologyKey: 'host' }), cpu: '0', labelled };

    it('counts the new pods of one for the other', () => {
      // A pod of either pool on a-3 opens a-1 and a-2 to the next ones.
      expect(shortage([demand(2, tight, over), demand(1, tight, { ...over, pool: 'b' })])).toBeUndefined();
      expect(shortage([demand(2, tight, over), demand(2, tight, { ...over, pool: 'b' })])).toMatchObject({ of: 2 });
    });

    it('counts no pods that leave for another pool', () => {
      const leaving = new Set(['uid-old-a-1', 'uid-old-a-2']);
      const [a, b] = [demand(2, tight, over), demand(2, tight, { ...over, pool: 'b', leaving })];
      expect(shortage([a, b])).toBeUndefined();
    });

    it('does not count them if the constraint selects other pods', () => {
      const own = (pool: string) => {
        const labelSelector = { matchLabels: { pool } };
        const { shape, ...rest } = demand(1, tight, {
          ...over,
          pool,
          spec: spread({ topologyKey: 'host', labelSelector }),
        });
        return { ...rest, shape: { ...shape, labels: { pool } } };
      };
      expect(shortage([own('a'), own('b')])).toBeUndefined();
    });

    it('names the constraint', () => {
      expect(shortage([demand(9, tight, over)])?.message).toMatch(/; they must spread over host with maxSkew 1$/);
    });
  });

  it('counts no pods without a selector', () => {
    const there = placedPod('b-1', 'there');
    const labelled = [{ labels: { app: 'web' }, pods: [there] }];
    const own = { spec: spread({ labelSelector: undefined }), labelled };
    expect(shortage([demand(5, rooms(zoned, [there]), own)])).toBeUndefined();
    expect(shortage([demand(5, rooms(zoned, [there]), { ...own, spec: spread({ labelSelector: {} }) })])).toBeDefined();
  });

  it('requires minDomains zones', () => {
    expect(shortage([demand(3, rooms(zoned), { spec: spread({ minDomains: 3 }) })])).toMatchObject({ fits: 2 });
  });
});

it.each([
  ['cpu', 2000, '2 CPU'],
  ['cpu', 250, '250m CPU'],
  ['memory', 1.5 * 2 ** 30, '1.5 GiB memory'],
  ['memory', 512, '512 B memory'],
  ['example.com/gpu', 1, '1 example.com/gpu'],
])('formats %s %d for messages', (name, amount, text) => {
  expect(amountText(name, amount)).toBe(text);
});
