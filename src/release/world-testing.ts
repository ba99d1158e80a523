/** Builds the observed state of table tests. Default: a release that rolls from revision 1 to revision 2. */
import type { AppReleaseSpec, Stage } from '../api/app-release.ts';
import type { ReleasePromotion } from '../api/release-promotion.ts';
import type { ReleaseRollback } from '../api/release-rollback.ts';
import { ANNOTATION } from '../api/meta.ts';
import type { StrategyType } from './record/desired.ts';
import { makeDeployment, makeService, trackName } from './record/desired.ts';
import type { ControllerRevision, Deployment, Pod, Service } from './record/kube-objects.ts';
import { serviceName } from './record/names.ts';
import type { Facts, ForeignScale, Placement, PoolFacts } from './record/recorded-data.ts';
import type { Revision } from './record/revision.ts';
import { inputHash, placementKey, placementKeys, placementOf, topologyOf } from './record/revision.ts';
import type { Memory, Observed } from './state/observed.ts';
import type { Rollout } from './state/view.ts';
import {
  ago,
  controllerRevision,
  ledgerWith,
  live,
  liveService,
  meta,
  observed,
  podsFor,
  release,
  revision,
  rollout,
  spec,
} from './testing.ts';

/** Facts of a revision in a pool; all times are in minutes before NOW. */
export interface FactWords {
  entered?: number;
  /** The attempt of the entry. Default 1. */
  attempt?: number;
  /** The key of the placement and strategy of the entry. Default: those of the spec. */
  key?: string;
  clock?: number;
  stopped?: number;
  mostReady?: number;
  healthySince?: number;
  pulling?: number;
  pulled?: number;
  gaveBack?: number;
  good?: number;
  failed?: number;
  /** The attempt that failed. Default: the attempt of the entry. */
  failedAttempt?: number;
  rolledBack?: number;
  /** The sizes of the pool before and in the edit that made it the wanted revision. */
  sized?: [from: number, to: number];
  /** The revision whose pods it keeps. */
  keeps?: number;
  /** When the move to the VMs that the spec names was admitted. */
  placed?: number;
  /** When that move was done. */
  arrived?: number;
}

export interface RevisionWords {
  /** Facts by pool. */
  in?: Record<string, FactWords>;
  /** Default: the revision's number, for example 2.0.0. */
  version?: string;
  /** The revision with the same images. Default: the revision itself. */
  imagesOf?: number;
  attempt?: number;
  /** Stages with a used approval. */
  approved?: string[];
  /** The hash of its pods as the API server stores them, in all pools. */
  stored?: string;
  /** The renderer that it was recorded with. Default: the newest. */
  renderer?: number;
  /** More fields of the spec that recorded it. */
  spec?: Record<string, unknown>;
}

export interface PoolWords {
  /** Default 2. */
  replicas?: number;
  /** The revision that the Service selects. Default 1; 0: the pool has no objects yet. */
  serves?: number;
  /** The size of its Deployment. Default: `replicas`. */
  size?: number;
  /** Number of ready pods of that revision. Default: all. */
  ready?: number;
  /** Other Deployments: revision → number of ready pods. */
  beside?: Record<number, number>;
  /** The label of the VMs that the spec names. Default: the pool's name. */
  vms?: string;
  /** The label of the VMs that the served revision runs on. Default: those that the spec names; with `moved`, others. */
  on?: string;
  /** This number of pods of the served revision is ready on the VMs that the spec names, in a Deployment of its own. */
  moved?: number;
  /** The label of the VMs that the other Deployments run on. Default: those that the spec names. */
  besideOn?: string;
  /** Fields of the pods that are not ready. */
  unready?: Partial<Pod>;
  /** Replicas of the pool in the recorded spec. Default: no spec is recorded. */
  recorded?: number;
  /** The size in the ledger that came with the revision of the spec, which is not recorded. */
  asked?: number;
  /** The size of the served Deployment that another manager set there, or on the Deployment that served before. */
  scaled?: ForeignScale & { carried?: true };
  /** The Deployment controller has yet to see the last change of the Deployments. */
  unseen?: true;
  /** More fields of the pool in the spec. */
  spec?: Record<string, unknown>;
}

export interface RollbackWords {
  against: number;
  /** Pool → target revision. */
  to: Record<string, number>;
  /** Whether spec.pools names the pools. Default: a rollback of the whole release. */
  names?: true;
  /** When it was accepted, in minutes before NOW. Default 5. */
  accepted?: number;
  /** When its pools were completed, in minutes before NOW. */
  completed?: number;
  ended?: true;
}

export interface PromotionWords {
  stage: string;
  step?: number;
  skipSoak?: true;
  by?: string;
  /** When it was created, in minutes before NOW. Default 1. */
  made?: number;
  /** The revision that it is bound to. Default: the wanted one. */
  of?: number;
  status?: Partial<ReleasePromotion['status']>;
  deleted?: true;
}

export interface Words {
  /** By name, in addition to stage canary with pool a and a soak of 1 minute, and stage production with pool b. */
  stages?: Record<string, Partial<Omit<Stage, 'pools'>> & { pools?: string[] }>;
  /** By name. */
  pools?: Record<string, PoolWords>;
  /** By number, in addition to revision 2, and to revision 1, which is good in all pools that serve. */
  revisions?: Record<number, RevisionWords>;
  /** The wanted revision. Default: the newest. A number without a revision is not recorded yet. */
  wants?: number;
  /** The value of the paused annotation. */
  paused?: string;
  rollback?: RollbackWords;
  promotion?: PromotionWords;
  /** More fields of the spec. */
  spec?: Record<string, unknown>;
  memory?: Partial<Memory>;
  more?: Partial<Observed>;
}

/** Pods that wait for a VM, with the scheduler's message. */
export function unscheduled(message: string): Partial<Pod> {
  return { containers: [], nodeName: undefined, startedAt: undefined, unschedulable: message };
}

/** Facts of a revision that has been good in a pool for long. */
export const GOOD: FactWords = { entered: 60, healthySince: 59, good: 58 };

const STAGES: NonNullable<Words['stages']> = {
  canary: { soak: '1m', pools: ['a'] },
  production: { pools: ['b'] },
};

export function world(words: Words = {}): Observed {
  const revisions = revisionsOf(words);
  const wanted = wantedNumber(words);
  const wantedSpec = specOf(words, wanted);
  const made = poolsOf(words).map((pool) => poolObjects(words, pool, wantedSpec, revisions));
  const services = new Map(made.flatMap(({ service }) => (service ? [[service.metadata.name, service]] : [])));
  const annotations = { ...(words.paused !== undefined && { [ANNOTATION.paused]: words.paused }) };
  const base = observed();
  return {
    ...base,
    release: release(wantedSpec, { annotations }),
    revisions: [...revisions.map(controllerRevision), ...ledgerOf(words, wantedSpec)],
    deployments: made.flatMap(({ deployments }) => deployments),
    pods: made.flatMap(({ pods }) => pods),
    services: [...services.values()],
    rollbacks: words.rollback ? [rollbackOf(words.rollback)] : [],
    promotions: words.promotion ? [promotionOf(words.promotion, wanted)] : [],
    ...words.more,
    memory: { ...base.memory, ...words.memory },
  };
}

export function viewOf(words: Words = {}): Rollout {
  return rollout(world(words));
}

export function stageNamed(seen: Rollout, name: string): Stage {
  return seen.topology.stages.find((stage) => stage.name === name) ?? missing(`stage ${name}`);
}

export function revisionNumbered(seen: Rollout, number: number): Revision {
  return seen.revisions.find((candidate) => candidate.number === number) ?? missing(`revision ${number}`);
}

/** The recorded facts for the facts of a row. */
export function factsIn(words: Words, pool: string, facts: FactWords): PoolFacts {
  return factsWith(facts, keyOf(specOf(words, wantedNumber(words)), pool));
}

function missing(what: string): never {
  throw new Error(`the world has no ${what}`);
}

function wantedNumber({ wants, revisions }: Words): number {
  return wants ?? Math.max(2, ...Object.keys(revisions ?? {}).map(Number));
}

/** The ledger with the recorded spec. */
function ledgerOf({ pools = {} }: Words, wanted: AppReleaseSpec): ControllerRevision[] {
  if (Object.values(pools).every(({ recorded }) => recorded === undefined)) return [];
  const topology = topologyOf(wanted);
  const stages = topology.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => ({ ...pool, replicas: pools[pool.name]?.recorded ?? pool.replicas })),
  }));
  const sizes = Object.fromEntries(
    Object.entries(pools).flatMap(([name, { asked }]) => (asked === undefined ? [] : [[name, asked]])),
  );
  const asked = { input: inputHash(wanted), sizes };
  return [
    ledgerWith({
      [ANNOTATION.topology]: JSON.stringify({ ...topology, stages }),
      ...(Object.keys(sizes).length > 0 && { [ANNOTATION.askedSizes]: JSON.stringify(asked) }),
    }),
  ];
}

function stagesOf({ stages = {} }: Words) {
  const names = [...new Set([...Object.keys(STAGES), ...Object.keys(stages)])];
  return names.map((name) => ({ name, pools: [], ...STAGES[name], ...stages[name] }));
}

function poolsOf(words: Words): string[] {
  return stagesOf(words).flatMap(({ pools }) => pools);
}

/** The spec that wants a revision. */
function specOf(words: Words, number: number): AppReleaseSpec {
  const { version = `${number}.0.0`, imagesOf = number, spec: own } = words.revisions?.[number] ?? {};
  const ports = [{ name: 'http', containerPort: 80 }];
  return spec({
    version,
    template: { spec: { containers: [{ name: 'main', image: `web:${imagesOf}`, ports }] } },
    stages: stagesOf(words).map((stage) => ({
      ...stage,
      pools: stage.pools.map((name) => {
        const { replicas = 2, vms = name, spec: more } = words.pools?.[name] ?? {};
        return { name, replicas, nodeSelector: { pool: vms }, ...more };
      }),
    })),
    ...words.spec,
    ...own,
  });
}

/** The digest of an image is made from its tag. */
function digestOf(image: string): string {
  return `sha256:${image.replace('web:', '').padStart(64, '0')}`;
}

function revisionsOf(words: Words): Revision[] {
  const served = poolsOf(words).filter((name) => words.pools?.[name]?.serves !== 0);
  const first: RevisionWords = { in: Object.fromEntries(served.map((name) => [name, GOOD])) };
  const all: Record<number, RevisionWords> = { 1: first, 2: {}, ...words.revisions };
  return Object.entries(all).map(([key, one]) => {
    const number = Number(key);
    const own = specOf(words, number);
    const made = revision(number, own, factsOf(words, one));
    const image = own.template.spec.containers[0]?.image ?? '';
    const digest = digestOf(image);
    const renderer = one.renderer ?? made.data.renderer;
    const images = { [image]: { image: `${image}@${digest}`, digest } };
    const { stored } = one;
    const hashes = stored !== undefined && {
      stored: Object.fromEntries(poolsOf(words).map((name) => [name, stored])),
    };
    return { ...made, data: { ...made.data, renderer, images, ...hashes } };
  });
}

function factsOf(words: Words, { in: pools = {}, attempt, approved = [] }: RevisionWords): Facts {
  const approval = { at: ago(5), promotion: 'before', skipSoak: false };
  return {
    pools: Object.fromEntries(Object.entries(pools).map(([name, facts]) => [name, factsIn(words, name, facts)])),
    approvals: Object.fromEntries(approved.map((stage) => [stage, approval])),
    ...(attempt !== undefined && { attempt }),
  };
}

function factsWith({ attempt = 1, ...facts }: FactWords, key: string): PoolFacts {
  const { entered, clock, stopped, mostReady, failed, failedAttempt = attempt, rolledBack } = facts;
  const { healthySince, pulling, pulled, gaveBack, good, sized, keeps, placed, arrived } = facts;
  const failure = { attempt: failedAttempt, reason: 'CrashLoop', message: 'crashes' };
  return {
    ...(entered !== undefined && { entered: { at: ago(entered), attempt, key: facts.key ?? key } }),
    ...(clock !== undefined && {
      clock: {
        start: ago(clock),
        ...(stopped !== undefined && { stopped: ago(stopped) }),
        ...(mostReady !== undefined && { mostReady }),
      },
    }),
    ...(healthySince !== undefined && { healthySince: ago(healthySince) }),
    ...(pulling !== undefined && { pulling: ago(pulling) }),
    ...(pulled !== undefined && { pulled: ago(pulled) }),
    ...(gaveBack !== undefined && { gaveBack: ago(gaveBack) }),
    ...(good !== undefined && { good: ago(good) }),
    ...(sized && { sized: { from: sized[0], to: sized[1] } }),
    ...(keeps !== undefined && { podsOf: { revision: keeps, key } }),
    ...(failed !== undefined && { failed: { at: ago(failed), ...failure } }),
    ...(placed !== undefined && {
      placed: { at: ago(placed), key, ...(arrived !== undefined && { done: ago(arrived) }) },
    }),
    ...(rolledBack !== undefined && { rolledBack: { at: ago(rolledBack), by: 'back' } }),
  };
}

function keyOf(from: AppReleaseSpec, pool: string): string {
  return placementKeys(topologyOf(from), 'web', from.strategy.type).get(pool) ?? '';
}

/** The placement on the VMs with a label. */
export function placedOn(label: string): Placement {
  return { nodeSelector: { pool: label }, tolerations: [] };
}

/** The key of that placement. */
export function keyOn(label: string, strategy: StrategyType = 'BlueGreen'): string {
  return placementKey([placedOn(label)], strategy);
}

interface PoolObjects {
  deployments: Deployment[];
  pods: Pod[];
  service?: Service;
}

function poolObjects(words: Words, name: string, wanted: AppReleaseSpec, revisions: readonly Revision[]): PoolObjects {
  const {
    replicas = 2,
    serves = 1,
    size = replicas,
    ready = size,
    beside = {},
    moved,
    unready = {},
    unseen = false,
    ...labels
  } = words.pools?.[name] ?? {};
  const { on = moved === undefined ? undefined : 'before', besideOn } = labels;
  const topology = topologyOf(wanted);
  const pool = topology.stages.flatMap(({ pools }) => pools).find((one) => one.name === name) ?? missing(name);
  const service = serviceName('web', pool);
  const owner = meta('web');
  const specified = { placement: placementOf(pool), key: keyOf(wanted, name) };
  const placed = (label?: string) =>
    label === undefined ? specified : { placement: placedOn(label), key: keyOn(label, wanted.strategy.type) };
  const runs = Object.entries(beside).map(([number, count]) => [Number(number), count, placed(besideOn)] as const);
  if (moved !== undefined) runs.push([serves, moved, specified]);
  if (serves !== 0) runs.unshift([serves, ready, placed(on)]);
  const made = runs.map(([number, count, where], index) => {
    const of = revisions.find((one) => one.number === number) ?? missing(`revision ${number}`);
    const identity = { pool: name, revision: of, strategy: wanted.strategy.type, ...where };
    const track = trackName(service, identity);
    const own = index === 0 && serves !== 0 ? size : replicas;
    const deployment = live(makeDeployment({ owner, identity, track, replicas: own, topology }), count);
    deployment.status = { ...deployment.status, replicas: own, updatedReplicas: own };
    if (unseen) deployment.metadata.generation = 2;
    return { of, track, deployment, pods: podsOf(deployment, of, count, own, unready) };
  });
  const [served] = serves === 0 ? [] : made;
  const { scaled } = words.pools?.[name] ?? {};
  if (served && scaled) scale(served.deployment, scaled);
  const objects = {
    deployments: made.map(({ deployment }) => deployment),
    pods: made.flatMap(({ pods }) => pods),
  };
  if (!served || !wanted.service) return objects;
  const mates = topology.stages.flatMap(({ pools }) => pools).filter((one) => serviceName('web', one) === service);
  const { of, track } = served;
  const options = { owner, name: service, pools: mates.map((one) => one.name), track, revision: of, annotations: {} };
  return { ...objects, service: liveService(makeService({ ...options, template: wanted.service })) };
}

function scale(deployment: Deployment, { by, replicas, carried }: NonNullable<PoolWords['scaled']>): void {
  const { metadata, spec } = deployment;
  spec.replicas = replicas;
  if (carried) metadata.annotations = { ...metadata.annotations, [ANNOTATION.scale]: JSON.stringify({ by, replicas }) };
  else deployment.replicasOwner = by;
}

function podsOf(deployment: Deployment, of: Revision, ready: number, replicas: number, unready: Partial<Pod>): Pod[] {
  const [pin] = Object.values(of.data.images);
  const main = { name: 'main', ready: true, restartCount: 0, imageID: `web@${pin?.digest ?? ''}` };
  return podsFor(deployment, Math.max(ready, replicas), { containers: [main] }).map((pod, index) =>
    index < ready ? pod : { ...pod, ready: false, containers: [{ ...main, ready: false }], ...unready },
  );
}

function rollbackOf({ against, to, names, accepted = 5, completed, ended }: RollbackWords): ReleaseRollback {
  const since = ago(accepted);
  const pools = Object.entries(to).map(([name, number]) => ({
    name,
    from: against,
    to: number,
    ...(completed !== undefined && { completedAt: ago(completed) }),
  }));
  return {
    metadata: meta('back'),
    spec: { release: 'web', force: false, ...(names && { pools: Object.keys(to) }) },
    status: {
      releaseUID: 'uid-web',
      acceptedAt: since,
      sequence: 1,
      heldAgainst: against,
      pools,
      conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: since }],
      ...(ended && { endedAt: ago(0), endReason: 'another version is wanted' }),
    },
  };
}

function promotionOf(words: PromotionWords, wanted: number): ReleasePromotion {
  const { stage, step, skipSoak = false, by, made = 1, of = wanted, status, deleted } = words;
  const accepted = { type: 'Accepted', status: 'True' as const, reason: 'Accepted', message: '' };
  const created = { creationTimestamp: ago(made), ...(deleted && { deletionTimestamp: ago(0) }) };
  return {
    metadata: meta('go', created),
    spec: {
      release: 'web',
      stage,
      skipSoak,
      ...(step !== undefined && { step }),
      ...(by !== undefined && { requestedBy: by }),
    },
    status: {
      releaseUID: 'uid-web',
      revision: of,
      conditions: [{ ...accepted, lastTransitionTime: ago(made) }],
      ...status,
    },
  };
}
