import { expect, it } from 'vitest';
import { placedPod, vm } from '../../scheduling/testing.ts';
import type { Claims } from '../state/claim.ts';
import { draftFacts } from '../record/facts-draft.ts';
import type { Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import { makeDeployment, makeService, trackName } from '../record/desired.ts';
import { claimsOf, giveRoomBack } from './reservation.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts } from '../record/recorded-data.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
import {
  controllerRevision,
  live,
  liveService,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  rollout,
  spec,
} from '../testing.ts';
import { view } from '../view.ts';

const stages = [{ name: 'production', pools: [{ name: 'a', replicas: 2, nodeSelector: { vms: 'shared' } }] }];
const first = spec({ stages });
const next = spec({ version: '2.0.0', stages });
const topology = topologyOf(next);
const pool = topology.stages[0]?.pools[0];
const key = placementKeys(topology, 'web', 'BlueGreen').get('a') ?? '';
const DEADLINE_MS = topology.progressDeadlineSeconds * 1000;

function ago(ms: number): string {
  return new Date(NOW - ms).toISOString();
}

function entered(ms: number): Facts {
  return { pools: { a: { entered: { at: ago(ms), attempt: 1, key }, clock: { start: ago(ms) } } }, approvals: {} };
}

const GOOD: Facts = {
  pools: {
    a: { entered: { at: ago(9_000_000), attempt: 1, key }, healthySince: ago(8_000_000), good: ago(8_000_000) },
  },
  approvals: {},
};

function identityOf(of: Revision) {
  if (!pool) throw new Error('there is a pool');
  return { pool: 'a', revision: of, placement: placementOf(pool), strategy: 'BlueGreen' as const, key };
}

function running(of: Revision) {
  const identity = identityOf(of);
  return live(
    makeDeployment({ owner: meta('web'), identity, track: trackName('web-a', identity), replicas: 2, topology }),
    2,
  );
}

/** Version 1 serves with two pods. Version 2 has these facts, `bound` pods on VMs and `unschedulable` pods. */
function world(facts: Facts, bound = 0, unschedulable = 0, more: Partial<Observed> = {}): Observed {
  const [old, wanted] = [revision(1, first, GOOD), revision(2, next, facts)];
  const [serves, comes] = [running(old), running(wanted)];
  const isBegun = bound + unschedulable > 0;
  const pods = [
    ...podsFor(serves, 2),
    ...podsFor(comes, bound, { ready: false }),
    ...podsFor(comes, unschedulable, { ready: false, unschedulable: 'no node fits' }).map(
      ({ nodeName: _none, ...pod }) => pod,
    ),
  ];
  const service = {
    owner: meta('web'),
    name: 'web-a',
    pools: ['a'],
    revision: old,
    annotations: {},
    track: trackName('web-a', identityOf(old)),
  };
  const vms = ['vm-1', 'vm-2'].map((name) => vm(name, { labels: { vms: 'shared' }, allocatable: { pods: 2 } }));
  const there = ['one', 'two'].map((name) => placedPod('vm-1', name));
  return observed({
    release: release(next),
    revisions: [old, wanted].map(controllerRevision),
    deployments: isBegun ? [serves, comes] : [serves],
    services: topology.service ? [liveService(makeService({ ...service, template: topology.service }))] : [],
    pods,
    vms,
    rooms: () => vms.map((node) => ({ node, pods: there.filter(({ nodeName }) => nodeName === node.metadata.name) })),
    ...more,
  });
}

const NOTHING: Facts = { pools: {}, approvals: {} };

it.each([
  ['all pods of a stage that it has entered and not begun', world(entered(1000)), [2]],
  ['pods that are not on VMs yet', world(entered(1000), 1, 1), [1]],
  ['nothing when all its pods are on VMs', world(entered(1000), 2), []],
  ['nothing if it has not entered a stage', world(NOTHING), []],
  ['nothing after the deadline, when it gives its room back', world(entered(DEADLINE_MS), 1, 1), []],
])('a release reserves %s', (_what, seen, counts) => {
  expect(claimsOf(view(seen, NOW)).reserved.map(({ count }) => count)).toEqual(counts);
});

it('a plan reserves room before its writes', () => {
  const { claims } = plan(world(NOTHING), NOW);
  expect(claims).toMatchObject({ release: 'shop/web', reserved: [{ pool: 'a', count: 2 }] });
});

function other(more: Partial<Claims>): Partial<Observed> {
  const [own] = claimsOf(view(world(entered(1000)), NOW)).reserved;
  const reserved = (more.reserved ?? []).flatMap(() => own ?? []);
  const waiting = more.waiting && { since: more.waiting.since, claims: own ? [own] : [] };
  return { others: () => [{ release: 'shop/api', reserved, ...(waiting && { waiting }) }] };
}

const A_CLAIM = [{}] as unknown as Claims['reserved'];

function gateOf(more: Partial<Observed>) {
  const seen = rollout(world(NOTHING, 0, 0, more));
  const [stage] = seen.topology.stages;
  return stage && seen.gate(stage);
}

it('reserved room of another release is not free, and the message names the release', () => {
  expect(gateOf({})).toBeUndefined();
  expect(gateOf(other({ reserved: A_CLAIM }))).toMatchObject({
    reason: 'NoCapacity',
    message: expect.stringContaining(
      'has room for 0 of 2 new pods: 2 of 2 VMs take them; room there is reserved for release shop/api',
    ) as string,
  });
});

it('the message does not name a release that has reserved room on other VMs', () => {
  const { rooms = () => [], others = () => [] } = world(NOTHING, 0, 0, other({ reserved: A_CLAIM }));
  const elsewhere = { example: 'elsewhere' };
  const [api] = others();
  const claims = api?.reserved.map((claim) => ({ ...claim, nodeSelector: elsewhere })) ?? [];
  const both = {
    rooms: (selector: object | null | undefined) => (selector === elsewhere ? [] : rooms({})),
    others: () => [{ release: 'shop/cart', reserved: claims }, ...others()],
  };
  expect(gateOf(both)?.message).toContain('VMs take them; room there is reserved for release shop/api;');
  expect(gateOf({ rooms: () => [], others })?.message).not.toContain('reserved');
});

it('a release that has waited longer goes first if it fits', () => {
  expect(gateOf(other({ waiting: { since: NOW - 1, claims: [] } }))).toMatchObject({
    reason: 'NoCapacity',
    message: expect.stringContaining('release shop/api has waited longer for the same room') as string,
  });
  expect(gateOf(other({ waiting: { since: NOW + 1, claims: [] } }))).toBeUndefined();
  const [own] = claimsOf(view(world(entered(1000)), NOW)).reserved;
  const claims = own ? [{ ...own, count: 10 }] : [];
  const tooBig = { release: 'shop/api', reserved: [], waiting: { since: NOW - 1, claims } };
  expect(gateOf({ others: () => [tooBig] })).toBeUndefined();
});

it.each([
  ['before the deadline', world(entered(DEADLINE_MS - 1), 1, 1), false],
  ['at the deadline', world(entered(DEADLINE_MS), 1, 1), true],
  ['not if all pods are on VMs', world(entered(DEADLINE_MS), 2), false],
  [
    'not with capacity Proceed',
    world(entered(DEADLINE_MS), 1, 1, { release: release(spec({ version: '2.0.0', stages, capacity: 'Proceed' })) }),
    false,
  ],
])('gives the room of a new version back: %s', (_when, seen, isGiven) => {
  const own = rollout(seen);
  const drafts = draftFacts();
  giveRoomBack(own, drafts);
  const [action] = drafts.actions();
  expect(action !== undefined).toBe(isGiven);
  if (!isGiven) return;
  const [text = ''] = action?.kind === 'AnnotateRevision' ? Object.values(action.annotations) : [];
  expect(JSON.parse(text)).toMatchObject({ pools: { a: { gaveBack: ago(0) } } });
  expect(JSON.parse(text)).not.toMatchObject({ pools: { a: { entered: expect.anything() as object } } });
});
