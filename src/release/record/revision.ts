import type { AppReleaseSpec, PodTemplate, Pool, ServicePort } from '../../api/app-release.ts';
import { servicePort } from '../../api/app-release.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { canonicalJson, shortHash } from '../../lib/canonical-json.ts';
import { withoutNulls } from '../../lib/json.ts';
import { keptByText, onceForKey, onceForObject } from '../../lib/once.ts';
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
import { readFacts, readPins, readRevisionData, readTopology, readWanted } from './recorded.ts';

/** The renderer that new revisions record. Older ones stay in render.ts: an upgrade of the operator restarts no pod. */
export const RENDERER = 1;

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
 * What Deployments are frozen with, besides the revision: the placements of the pools behind one Service (they share
 * the label that it selects, so they change together) and the strategy.
 */
export function placementKey(placements: readonly Placement[], strategy: string): string {
  return shortHash({ placements, strategy });
}

export function placementOf(pool: Pool): Placement {
  return { nodeSelector: pool.nodeSelector ?? {}, tolerations: pool.tolerations ?? [] };
}

/** The placement key of each pool of a topology, under a strategy. */
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

/** The tag of a reference, without registry and digest. */
export function imageTag(image: string): string | undefined {
  const [name = ''] = image.split('@');
  return /:([A-Za-z0-9_][A-Za-z0-9_.-]*)$/.exec(name)?.[1];
}

export function wantedVersion(spec: Pick<AppReleaseSpec, 'version' | 'template'>): string | undefined {
  return spec.version ?? imageTag(spec.template.spec.containers[0]?.image ?? '');
}

const keptInput = keptByText<RevisionInput>();

/** Made once for each spec, because every pass asks. */
export function revisionInput(spec: AppReleaseSpec, version: string): RevisionInput {
  return keptInput(spec, version, () => inputOf(spec, version));
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

/**
 * Whether a recorded input is the one that is wanted. Pools that are gone from the topology do not count, so that to
 * remove a pool makes no revision; nor do nulls, which say the same as nothing, and defaults that came later.
 */
export function sameInput(recorded: RevisionInput, wanted: RevisionInput, poolNames: ReadonlySet<string>): boolean {
  return compare(recorded)(wanted)([...poolNames].join());
}

/** Compared once for the same objects, because every pass asks. */
const compare = onceForObject((recorded: RevisionInput) =>
  onceForObject((wanted: RevisionInput) =>
    onceForKey((poolNames: string) => hasSameInput(recorded, wanted, new Set(poolNames.split(',')))),
  ),
);

function hasSameInput(recorded: RevisionInput, wanted: RevisionInput, poolNames: ReadonlySet<string>): boolean {
  const present = Object.fromEntries(Object.entries(recorded.pools).filter(([name]) => poolNames.has(name)));
  const input = { ...recorded, pools: present, ports: portsOf(recorded) };
  return canonicalJson(withoutNulls(input)) === canonicalJson(withoutNulls(wanted));
}

/** With the defaults of what an older operator did not have. Templates have none: see pod-template.ts. */
export const portsOf = onceForObject(({ ports }: RevisionInput) =>
  ports.map((port): ServicePort => ({ ...servicePort.safeParse(port).data, ...port })),
);

/** The image strings of a template: containers, init containers, image volumes. */
export function templateImages({ spec }: PodTemplate): string[] {
  const { containers, initContainers = [], volumes = [] } = spec;
  const references = volumes.flatMap((volume) => volume.image?.reference ?? []);
  return [...new Set([...initContainers, ...containers].map(({ image }) => image).concat(references))];
}

/** The API server takes 256 KiB of annotations in all: the topology and the ledger share them. */
export const LEDGER_BYTES = 250 * 1024;

/** The pins already known for a version: from its revisions, newest first, then from the ledger. */
export function knownPins(
  version: string,
  revisions: readonly Revision[],
  ledger: Ledger,
): Record<string, PinnedImage> {
  const recorded = revisions.filter(({ data }) => data.input.version === version).map(({ data }) => data.images);
  return Object.fromEntries([own(ledger, version) ?? {}, ...recorded].flatMap((images) => Object.entries(images)));
}

/** The images that a spec needs from a registry: those that its version has no pin for yet. */
export function imagesToResolve(spec: AppReleaseSpec, revisions: readonly Revision[], ledger: Ledger): string[] {
  const version = wantedVersion(spec);
  if (version === undefined) return [];
  const known = knownPins(version, revisions, ledger);
  return templateImages(spec.template).filter((image) => own(known, image) === undefined);
}

/** Reads a ControllerRevision that the operator wrote; undefined for one that it did not (the ledger has no data). */
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

/** How long a version may take in a pool, and a move or a rollback to find VMs, in milliseconds. */
export function deadlineMs({ progressDeadlineSeconds }: Topology): number {
  return progressDeadlineSeconds * 1000;
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
  return object === undefined ? { ledger: {} } : readLedger(object);
}

const readLedger = onceForObject(({ metadata: { annotations } }: ControllerRevision): LedgerRecord => {
  const topology = readTopology(annotations?.[ANNOTATION.topology]);
  const wanted = readWanted(annotations?.[ANNOTATION.wanted]);
  return {
    ledger: readPins(annotations?.[ANNOTATION.ledger]),
    ...(topology && { topology }),
    ...(wanted && { wanted }),
  };
});

export function poolFacts(revision: Revision, pool: string): PoolFacts {
  return own(revision.facts.pools, pool) ?? {};
}

export function isGood(revision: Revision, pool: string): boolean {
  return poolFacts(revision, pool).good !== undefined;
}

/** Marked bad in this pool: it failed there or was taken back. */
export function isBadIn(revision: Revision, pool: string): boolean {
  const { failed, rolledBack } = poolFacts(revision, pool);
  return failed !== undefined || rolledBack !== undefined;
}

export function isBad(revision: Revision): boolean {
  return Object.keys(revision.facts.pools).some((pool) => isBadIn(revision, pool));
}
