import type { AppReleaseSpec, PodTemplate, Pool, PoolTemplate, ServicePort } from '../../api/app-release.ts';
import { servicePort } from '../../api/app-release.ts';
import { parseDuration } from '../../api/common.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { canonicalJson, sha256, shortHash } from '../../lib/canonical-json.ts';
import { withoutNulls } from '../../lib/json.ts';
import { keptBy, onceForObject } from '../../lib/once.ts';
import { own } from '../../lib/own.ts';
import type { ControllerRevision } from './kube-objects.ts';
import { serviceName } from './names.ts';
import type {
  Facts,
  Ledger,
  LedgerRecord,
  PinnedImage,
  Placement,
  PoolFacts,
  RevisionData,
  RevisionInput,
  Topology,
} from './recorded-data.ts';
import {
  readAsked,
  readFacts,
  readLoosened,
  readPins,
  readRevisionData,
  readTopology,
  readWanted,
} from './recorded.ts';

export interface Revision {
  name: string;
  number: number;
  uid: string;
  resourceVersion: string;
  createdAt: string;
  data: RevisionData;
  facts: Facts;
}

/**
 * A hash of the placements of the pools behind one Service and the strategy. These pools share the track label that the
 * Service selects, so their placements change together.
 */
export function placementKey(placements: readonly Placement[], strategy: string): string {
  return shortHash({ placements, strategy });
}

/** A key that differs from this one. */
export function otherKey(key: string): string {
  return shortHash({ not: key });
}

export function placementOf(pool: Pool): Placement {
  return { nodeSelector: pool.nodeSelector ?? {}, tolerations: pool.tolerations ?? [] };
}

/** Pool → placement key under a strategy. */
export function placementKeys(topology: Topology, release: string, strategy: string): Map<string, string> {
  const pools = topology.stages.flatMap((stage) => stage.pools);
  const groups = Map.groupBy(pools, (pool) => (topology.service ? serviceName(release, pool) : `/${pool.name}`));
  return new Map(
    [...groups.values()].flatMap((group) => {
      const key = placementKey(group.map(placementOf), strategy);
      return group.map(({ name }) => [name, key] as const);
    }),
  );
}

/** The tag of an image reference. */
export function imageTag(image: string): string | undefined {
  const [name = ''] = image.split('@');
  return /:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/.exec(name)?.[1];
}

/** Whether an image reference has a tag, valid or not. */
export function hasTag(image: string): boolean {
  const [name = ''] = image.split('@');
  return /:[^/]+$/.test(name);
}

export function wantedVersion(spec: Pick<AppReleaseSpec, 'version' | 'template'>): string | undefined {
  return spec.version ?? imageTag(spec.template.spec.containers[0]?.image ?? '');
}

const keptInput = keptBy<RevisionInput>();

/** Made once for each spec, because every pass asks. */
export function revisionInput(spec: AppReleaseSpec, version: string): RevisionInput {
  return keptInput([spec], version, () => inputOf(spec, version));
}

function inputOf(spec: AppReleaseSpec, version: string): RevisionInput {
  const pools = spec.stages.flatMap((stage) => stage.pools);
  return {
    version,
    template: spec.template,
    pools: Object.fromEntries(pools.flatMap((pool) => (pool.template ? [[pool.name, pool.template]] : []))),
    ports: spec.service?.ports ?? [],
    barrier: spec.rollback.barrier,
  };
}

/** Whether a rollback behind the revision has to be forced. */
export function hasBarrier({ data, facts }: Revision): boolean {
  return facts.barrier ?? data.input.barrier;
}

/** The hash of the revision that a spec wants, without the barrier, which is a mark. */
export const inputHash = onceForObject((spec: AppReleaseSpec): string => {
  const { barrier: _barrier, ...input } = revisionInput(spec, wantedVersion(spec) ?? '');
  return sha256(canonicalJson(input));
});

/**
 * Whether a recorded input equals the wanted input. The comparison ignores removed pools, so that removing a pool makes no
 * new revision, and the barrier, which is a mark. It also ignores nulls, which mean absent, and defaults that the API got later.
 */
export function sameInput(recorded: RevisionInput, wanted: RevisionInput, poolNames: ReadonlySet<string>): boolean {
  return compared([recorded, wanted], [...poolNames].join(), () => hasSameInput(recorded, wanted, poolNames));
}

/** Compared once for the same objects, because every pass asks. */
const compared = keptBy<boolean>();

function hasSameInput(recorded: RevisionInput, wanted: RevisionInput, poolNames: ReadonlySet<string>): boolean {
  const present = Object.fromEntries(Object.entries(recorded.pools).filter(([name]) => poolNames.has(name)));
  const input = { ...recorded, pools: present, ports: portsOf(recorded), barrier: wanted.barrier };
  return canonicalJson(withoutNulls(input)) === canonicalJson(withoutNulls(wanted));
}

/**
 * The ports with defaults for fields that an older operator did not record. Templates have no defaults: see pod-template.ts.
 */
export const portsOf = onceForObject(({ ports }: RevisionInput) =>
  ports.map((port): ServicePort => ({ ...servicePort.safeParse(port).data, ...port })),
);

/** The images of a template: init containers, containers and image volumes, each once. */
export function templateImages({ spec }: PodTemplate): string[] {
  const { containers, initContainers = [], volumes = [] } = spec;
  const references = volumes.flatMap((volume) => volume.image?.reference ?? []);
  return [...new Set([...initContainers, ...containers].map(({ image }) => image).concat(references))];
}

/** The API server accepts 256 KiB of annotations per object. The topology and the pins share this limit; see LOOSENED_BYTES. */
export const LEDGER_BYTES = 250 * 1024;

/** The known pins of a version, from the ledger and the revisions. The newest revision wins. */
export function knownPins(
  version: string,
  revisions: readonly Revision[],
  ledger: Ledger,
): Record<string, PinnedImage> {
  const recorded = revisions.filter(({ data }) => data.input.version === version).map(({ data }) => data.images);
  return Object.fromEntries([own(ledger, version) ?? {}, ...recorded].flatMap((images) => Object.entries(images)));
}

/** The images of a spec that have no pin yet. */
export function imagesToResolve(spec: AppReleaseSpec, revisions: readonly Revision[], ledger: Ledger): string[] {
  const version = wantedVersion(spec);
  if (version === undefined) return [];
  const known = knownPins(version, revisions, ledger);
  return templateImages(spec.template).filter((image) => own(known, image) === undefined);
}

/** Reads a ControllerRevision of the operator; undefined for any other object (the ledger has no data). */
export const parseRevision = onceForObject(readRevision);

function readRevision(object: ControllerRevision): Revision | undefined {
  const data = readRevisionData(object.data);
  if (!data) return undefined;
  return {
    name: object.metadata.name,
    number: object.revision,
    uid: object.metadata.uid,
    resourceVersion: object.metadata.resourceVersion,
    createdAt: object.metadata.creationTimestamp,
    data,
    facts: readFacts(object.metadata.annotations?.[ANNOTATION.facts]),
  };
}

/** The deadline of a version in a pool, of a move, and of a rollback that looks for VMs, in milliseconds. */
export function deadlineMs({ progressDeadlineSeconds }: Topology): number {
  return progressDeadlineSeconds * 1000;
}

/**
 * How long pods run after the last endpoint for them is gone, in milliseconds: the drain, and the time that a gateway may need
 * until it follows.
 */
export function drainMs({ rollback, route }: Pick<Topology, 'rollback' | 'route'>): number {
  return (parseDuration(rollback.drain) ?? 0) + (parseDuration(route?.settle ?? '') ?? 0);
}

/** Made once for each spec, because every pass asks. */
export const topologyOf = onceForObject(makeTopology);

function makeTopology(spec: AppReleaseSpec): Topology {
  const { template: _template, version: _version, paused: _paused, ...topology } = spec;
  return {
    ...topology,
    stages: topology.stages.map((stage) => ({
      ...stage,
      pools: stage.pools.map(({ template: _poolTemplate, ...pool }) => pool),
    })),
  };
}

export function parseLedger(object: ControllerRevision | undefined): LedgerRecord {
  return object === undefined ? { ledger: {}, loosened: [] } : readLedger(object);
}

const readLedger = onceForObject(({ metadata: { annotations } }: ControllerRevision): LedgerRecord => {
  const topology = readTopology(annotations?.[ANNOTATION.topology]);
  const wanted = readWanted(annotations?.[ANNOTATION.wanted]);
  const asked = readAsked(annotations?.[ANNOTATION.askedSizes]);
  return {
    ledger: readPins(annotations?.[ANNOTATION.ledger]),
    loosened: readLoosened(annotations?.[ANNOTATION.loosened]),
    ...(topology && { topology }),
    ...(wanted && { wanted }),
    ...(asked && { asked }),
  };
});

export function poolFacts(revision: Revision, pool: string): PoolFacts {
  return own(revision.facts.pools, pool) ?? {};
}

export function isGood(revision: Revision, pool: string): boolean {
  return poolFacts(revision, pool).good !== undefined;
}

/** Whether the revision has served in the pool itself, and not only in the pool that it took the place of. */
export function hasServedIn(revision: Revision, pool: string): boolean {
  const { healthySince, good, follows, entered } = poolFacts(revision, pool);
  return healthySince !== undefined || (good !== undefined && (follows === undefined || entered !== undefined));
}

/** The template of a revision for a pool, or for the pool that it took the place of. */
export function templateFor(revision: Revision, pool: string): PoolTemplate | undefined {
  const { pools } = revision.data.input;
  return own(pools, pool) ?? own(pools, poolFacts(revision, pool).follows ?? pool);
}

/** Whether the revision has a bad mark in this pool: it failed or was rolled back. */
export function isBadIn(revision: Revision, pool: string): boolean {
  const { failed, rolledBack } = poolFacts(revision, pool);
  return failed !== undefined || rolledBack !== undefined;
}

export function isBad(revision: Revision): boolean {
  return Object.keys(revision.facts.pools).some((pool) => isBadIn(revision, pool));
}
