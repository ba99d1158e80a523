// (g) The largest spec on 1,000 VMs: what counting room costs, and how long one pass keeps the event loop. Needs no cluster.
import { NODE_INDEX } from '../../src/controller/kinds/indexes.ts';
import { createRoomCounter, createRooms } from '../../src/controller/release/rooms.ts';
import { createStore } from '../../src/kube/store.ts';
import type { Stored } from '../../src/kube/store.ts';
import { LABEL } from '../../src/api/meta.ts';
import { countRoom } from '../../src/scheduling/fit.ts';
import type { Node, PlacedPod } from '../../src/scheduling/objects.ts';
import { placedPod, vm } from '../../src/scheduling/testing.ts';
import type { Deployment, Pod } from '../../src/release/record/kube-objects.ts';
import type { Observed } from '../../src/release/state/observed.ts';
import { plan } from '../../src/release/plan.ts';
import { makeDeployment, makeService } from '../../src/release/record/desired.ts';
import type { Revision } from '../../src/release/record/revision.ts';
import type { Facts } from '../../src/release/record/recorded-data.ts';
import { placementKeys, placementOf, topologyOf } from '../../src/release/record/revision.ts';
import { releaseStatus } from '../../src/release/status/status.ts';
import {
  controllerRevision,
  live,
  liveService,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  spec,
} from '../../src/release/testing.ts';

export interface RoomCost {
  vms: number;
  pools: number;
  pods: number;
  /** Milliseconds, of each count of a stage's room after something on a VM has changed. */
  counts: number[];
  /** Milliseconds, of each pass from what is seen to the status: nothing else runs meanwhile. */
  passes: number[];
}

const STAGES = 16;
const POOLS = 16;
const REPLICAS = 200;
const PASSES = 30;
const LABELS = { zone: 'topology.kubernetes.io/zone', host: 'kubernetes.io/hostname' };

/** As many stages and pools as the schema lets in, on the same VMs, spread over zones and VMs. */
function largestSpec(version: string) {
  const topologySpreadConstraints = Object.values(LABELS).map((topologyKey) => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: {},
    matchLabelKeys: [LABEL.workload],
  }));
  const resources = { requests: { cpu: '100m', memory: '128Mi' } };
  return spec({
    version,
    template: {
      spec: { containers: [{ name: 'main', image: `web:${version}`, resources }], topologySpreadConstraints },
    },
    service: { ports: [{ port: 80 }] },
    stages: Array.from({ length: STAGES }, (_, stage) => ({
      name: `stage-${stage}`,
      pools: Array.from({ length: POOLS }, (_none, pool) => ({
        name: `pool-${stage}-${pool}`,
        replicas: REPLICAS,
        nodeSelector: { vms: 'shared' },
      })),
    })),
  });
}

function store<S extends Stored>(objects: readonly S[], indexes: Record<string, (object: S) => string[]> = {}) {
  const own = createStore<S>({ indexes, onChange: () => undefined });
  for (const object of objects) own.put(object, 'stream');
  return { ...own, observeWrite: () => undefined, observeDelete: () => undefined };
}

/** Version 1 runs everywhere, version 2 is recorded. */
function world(vms: readonly Node[]): { seen: Observed; placed: PlacedPod[] } {
  const wanted = largestSpec('2.0.0');
  const topology = topologyOf(wanted);
  const pools = topology.stages.flatMap((stage) => stage.pools);
  const at = new Date(NOW - 3_600_000).toISOString();
  const keys = placementKeys(topology, 'web', 'BlueGreen');
  const facts: Facts = {
    approvals: {},
    pools: Object.fromEntries(
      pools.map(({ name }) => [
        name,
        { entered: { at, attempt: 1, key: keys.get(name) ?? '' }, healthySince: at, good: at },
      ]),
    ),
  };
  const old = revision(1, largestSpec('1.0.0'), facts);
  const owner = { name: 'web', namespace: 'shop', uid: 'uid-web' };
  const runs = pools.map((pool): { deployment: Deployment; track: string } => {
    const track = `web-${pool.name}-1`;
    const identity = identityOf(old, pool.name, keys);
    const desired = makeDeployment({
      owner,
      identity: { ...identity, placement: placementOf(pool) },
      track,
      replicas: REPLICAS,
      topology,
    });
    return { deployment: live(desired, REPLICAS), track };
  });
  let turn = 0;
  const made = runs.flatMap(({ deployment }) =>
    podsFor(deployment, REPLICAS).map((pod): Pod & { nodeName: string } => {
      turn += 1;
      return { ...pod, nodeName: vms[turn % vms.length]?.metadata.name ?? '' };
    }),
  );
  // As they come from the API server: a string that was just put together is copied when it is first looked at.
  const pods = JSON.parse(JSON.stringify(made)) as typeof made;
  const template = topology.service;
  const services = pools.flatMap(({ name }, index) => {
    const track = runs[index]?.track ?? '';
    const options = { owner, name: `web-${name}`, pools: [name], track, revision: old, annotations: {} };
    return template ? [liveService(makeService({ ...options, template }))] : [];
  });
  const seen = observed({
    release: release(wanted, { generation: 2 }),
    revisions: [old, revision(2, wanted)].map(controllerRevision),
    deployments: runs.map(({ deployment }) => deployment),
    services,
    pods,
    vms,
  });
  const requests = { cpu: 100, memory: 128 * 2 ** 20 };
  const placed = pods.map(({ metadata, nodeName }) =>
    placedPod(nodeName, metadata.name, { metadata: { ...metadata, labels: metadata.labels ?? {} }, requests }),
  );
  return { seen, placed };
}

function identityOf(own: Revision, pool: string, keys: ReadonlyMap<string, string>) {
  return { pool, revision: own, strategy: 'BlueGreen' as const, key: keys.get(pool) ?? '' };
}

/** After a few passes over less: an operator that has run for a while is what is measured. */
export function measureRoom(): RoomCost {
  measure(100, 3);
  return measure(1000, PASSES);
}

function measure(vms: number, times: number): RoomCost {
  const nodes = Array.from({ length: vms }, (_, index) => {
    const name = `vm-${index}`;
    const labels = { vms: 'shared', [LABELS.zone]: `zone-${index % 3}`, [LABELS.host]: name };
    return vm(name, { labels, allocatable: { cpu: 32_000, memory: 128 * 2 ** 30, pods: 110 } });
  });
  const { seen, placed } = world(nodes);
  const caches = {
    nodes: store(nodes),
    placed: store(placed, { [NODE_INDEX]: ({ nodeName }) => [nodeName] }),
  };
  const rooms = createRooms(caches);
  const counts: number[] = [];
  const counter = createRoomCounter((demands, reserved) => {
    const started = performance.now();
    const found = countRoom(demands, reserved);
    counts.push(performance.now() - started);
    return found;
  });
  const passes: number[] = [];
  for (let pass = 0; pass < times; pass += 1) {
    caches.placed.put(placedPod('vm-0', 'changing', { metadata: changing(pass) }), 'stream');
    const started = performance.now();
    const { view } = plan({ ...seen, rooms, countRoom: counter }, NOW);
    releaseStatus(view, {});
    passes.push(performance.now() - started);
  }
  return { vms, pools: STAGES * POOLS, pods: placed.length, counts, passes };
}

function changing(pass: number): PlacedPod['metadata'] {
  return { name: 'changing', namespace: 'shop', uid: 'uid-changing', resourceVersion: String(1_000_000 + pass) };
}
