import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PodTemplate } from '../api/app-release.ts';
import type { Demand, Room } from './demand.ts';
import type { Spread } from './shape.ts';
import { podShape, toleratesTaints } from './shape.ts';
import { placedPod, vm, shortage } from './testing.ts';

const KEYS = ['zone', 'rack', 'host'] as const;

const room = fc.record({
  zone: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined, freq: 6 }),
  rack: fc.constantFrom('x', 'y'),
  takes: fc.integer({ min: 0, max: 6 }),
  cordoned: fc.nat(5).map((number) => number === 0),
  running: fc.array(fc.constantFrom('web', 'other'), { maxLength: 3 }),
});

const spread = fc.record(
  {
    topologyKey: fc.constantFrom(...KEYS),
    maxSkew: fc.integer({ min: 1, max: 3 }),
    labelSelector: fc.constantFrom('web', 'other').map((app) => ({ matchLabels: { app } })),
    minDomains: fc.integer({ min: 1, max: 4 }),
    nodeTaintsPolicy: fc.constantFrom('Honor', 'Ignore'),
  },
  { requiredKeys: ['topologyKey', 'maxSkew', 'labelSelector'] },
);

function demandOf(
  vms: readonly (typeof room extends fc.Arbitrary<infer T> ? T : never)[],
  spreads: Spread[],
  count: number,
) {
  const labelled: Demand['labelled'][number][] = [];
  const rooms = vms.map(({ zone, rack, takes, cordoned, running }, index): Room => {
    const name = `vm-${index}`;
    const pods = running.map((app, number) => {
      const pod = placedPod(name, `${name}-${number}`);
      labelled.push({ labels: { app }, pods: [pod] });
      return pod;
    });
    const allocatable = { pods: takes + pods.length };
    const own = { rack, host: name, ...(zone !== undefined && { zone }) };
    return { node: vm(name, { labels: own, allocatable, unschedulable: cordoned }), pods };
  });
  const topologySpreadConstraints = spreads.map((one) => ({ whenUnsatisfiable: 'DoNotSchedule', ...one }));
  const spec = { containers: [{ name: 'main', image: 'web' }], topologySpreadConstraints };
  const shape = podShape({ metadata: { labels: { app: 'web' } }, spec: spec as PodTemplate['spec'] });
  return { pool: 'a', shape, count, rooms, leaving: new Set<string>(), labelled } satisfies Demand;
}

/** Places one pod after the other, as the scheduler does: where every constraint admits it, emptiest domains first. */
function podByPod({ shape, rooms, labelled, count }: Demand): number {
  const keys = shape.spreads.map(({ topologyKey }) => topologyKey);
  const vms = rooms
    .filter(({ node }) => keys.every((key) => node.metadata.labels[key] !== undefined))
    .map(({ node, pods }) => ({
      node,
      own: pods.map((pod) => labelled.find((group) => group.pods.includes(pod))?.labels.app),
      left: (node.allocatable.pods ?? 0) - pods.length,
    }));
  function skewsOn(candidate: (typeof vms)[number]): number[] {
    return shape.spreads.map(({ topologyKey, labelSelector, minDomains = 1, nodeTaintsPolicy }) => {
      const app = labelSelector?.matchLabels?.app;
      const counts = new Map<string | undefined, number>();
      for (const { node, own } of vms) {
        if (nodeTaintsPolicy === 'Honor' && !toleratesTaints(node, shape)) continue;
        const domain = node.metadata.labels[topologyKey];
        counts.set(domain, (counts.get(domain) ?? 0) + own.filter((one) => one === app).length);
      }
      const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
      return (counts.get(candidate.node.metadata.labels[topologyKey]) ?? 0) + (app === 'web' ? 1 : 0) - least;
    });
  }
  for (let placed = 0; placed < count; placed += 1) {
    const [best] = vms
      .filter(({ node, left }) => left > 0 && !node.unschedulable)
      .map((candidate) => ({ candidate, skews: skewsOn(candidate) }))
      .filter(({ skews }) => skews.every((skew, index) => skew <= (shape.spreads[index]?.maxSkew ?? 0)))
      .toSorted((a, b) => sum(a.skews) - sum(b.skews));
    if (!best) return placed;
    best.candidate.left -= 1;
    best.candidate.own.push('web');
  }
  return count;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

it('with one constraint, the count by domain equals the scheduler’s placement pod by pod', () => {
  const vms = fc.array(room, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(vms, spread, fc.integer({ min: 1, max: 12 }), (own, constraint, count) => {
      const demand = demandOf(own, [constraint], count);
      expect(shortage([demand])?.fits ?? count).toBe(podByPod(demand));
    }),
    { numRuns: 500 },
  );
});

it.each([
  { count: 6, fits: 6 },
  // Zone a has one VM for two pods: the other zones may be two pods ahead of it, and each VM has at most two.
  { count: 9, fits: 8 },
])('obeys several constraints at once: $fits of $count', ({ count, fits }) => {
  const one = { rack: 'x' as const, takes: 5, cordoned: false, running: [] };
  const vms = (['a', 'b', 'b', 'c', 'c'] as const).map((zone) => ({ ...one, zone, takes: zone === 'a' ? 2 : 5 }));
  const labelSelector = { matchLabels: { app: 'web' } };
  const spreads = [
    { topologyKey: 'zone', maxSkew: 1, labelSelector },
    { topologyKey: 'host', maxSkew: 1, labelSelector },
  ];
  const demand = demandOf(vms, spreads, count);
  expect(shortage([demand])?.fits ?? count).toBe(fits);
  expect(podByPod(demand)).toBe(fits);
});
