/** The revision that the spec wants, or what is missing to record it. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { own, setOwn } from '../../lib/own.ts';
import { internalProblem, reading } from '../record/internal-error.ts';
import { usedNumbers } from './lost.ts';
import { revisionName, serviceName } from '../record/names.ts';
import { desiredHash } from './drift.ts';
import type { MovedTag, Observed } from './observed.ts';
import { makeDeployment, trackName } from '../record/desired.ts';
import { RENDERER } from '../record/renderers.ts';
import type { Revision } from '../record/revision.ts';
import type { Ledger, LedgerRecord, RevisionData, Topology } from '../record/recorded-data.ts';
import {
  imagesToResolve,
  knownPins,
  placementKeys,
  placementOf,
  revisionInput,
  sameInput,
  templateImages,
  topologyOf,
} from '../record/revision.ts';
import type { SpecProblem, ValidSpec } from './valid-spec.ts';
import { routedPortProblem } from './routed-ports.ts';
import { readSpec } from './valid-spec.ts';
import type { Workload } from './view.ts';
import type { InvalidSpec, Wanted } from './wanted-states.ts';
import { isScribbled, viewWorkloads } from './view-workloads.ts';

/** The topology of the spec if the spec is valid, else the last valid topology. */
export type SpecView =
  | { spec: AppReleaseSpec; topology: Topology; movedTags: readonly MovedTag[]; wanted: Wanted }
  | { spec?: never; topology: Topology; movedTags: readonly never[]; wanted: InvalidSpec }
  | { spec?: never; topology?: never; wanted: InvalidSpec };

/** `problem`: the exception of a rule. The spec then counts as invalid, so that the other rules continue. */
export function viewSpec(
  observed: Observed,
  revisions: readonly Revision[],
  record: LedgerRecord,
  problem?: SpecProblem,
): SpecView {
  const read = problem ? { problem } : readSpec(observed);
  if ('problem' in read) return invalid(record.topology, read.problem);
  const { spec } = read;
  const moved = routedPortProblem(observed, spec);
  if (moved !== undefined) return invalid(record.topology, { reason: 'InvalidRoute', message: moved });
  try {
    return {
      spec,
      topology: topologyOf(spec),
      movedTags: findMovedTags(observed, read, revisions, record.ledger),
      wanted: findWanted(observed, read, revisions, record),
    };
  } catch (error) {
    return invalid(record.topology, internalProblem(error));
  }
}

function invalid(last: Topology | undefined, problem: SpecProblem): SpecView {
  const wanted = { state: 'Invalid', ...problem } as const;
  return last ? { topology: last, movedTags: [], wanted } : { wanted };
}

function findMovedTags(
  { findMoved }: Observed,
  { spec: { template }, version }: ValidSpec,
  revisions: readonly Revision[],
  ledger: Ledger,
): MovedTag[] {
  const pins = knownPins(version, revisions, ledger);
  return templateImages(template).flatMap((image) => {
    const pinned = own(pins, image)?.digest;
    const digest = pinned && findMoved(image, template, pinned);
    return digest ? [{ image, pinned, digest }] : [];
  });
}

function findWanted(
  observed: Observed,
  { spec, version }: ValidSpec,
  revisions: readonly Revision[],
  record: LedgerRecord,
): Wanted {
  const pools = spec.stages.flatMap((stage) => stage.pools);
  const input = revisionInput(spec, version);
  const names = new Set(pools.map(({ name }) => name));
  const same = revisions.filter(({ data }) => sameInput(data.input, input, names));
  // Of several, as earlier operators recorded them, the one that is wanted already stays wanted.
  const before = previouslyWanted(revisions, record);
  const recorded = same.find((revision) => revision === before) ?? same.at(-1);
  if (recorded) return { state: 'Recorded', revision: recorded };

  const { ledger } = record;
  const missing = reading('spec.template.spec', () => imagesToResolve(spec, revisions, ledger));
  const lookups = missing.map((image) => observed.lookUpDigest(image, spec.template));
  const failed = lookups.find((lookup) => lookup.state === 'failed');
  if (failed) return { state: 'Resolving', failed };
  const pending = lookups.filter((lookup) => lookup.state === 'pending');
  if (pending.length > 0) {
    return { state: 'Resolving', ...(pending.every(({ isQueued }) => isQueued) && { isQueued: true }) };
  }

  const known = knownPins(version, revisions, ledger);
  const images = templateImages(spec.template).map((image) => {
    const { state: _state, ...pin } = {
      state: '',
      ...(own(known, image) ?? observed.lookUpDigest(image, spec.template)),
    };
    return [image, pin];
  });
  const number = nextNumber(observed, revisions);
  const data: RevisionData = {
    renderer: RENDERER,
    input,
    images: Object.fromEntries(images) as RevisionData['images'],
    placements: Object.fromEntries(placementKeys(topologyOf(spec), observed.release.metadata.name, spec.strategy.type)),
  };
  return proveTemplate(observed, spec, revisions, number, data);
}

/** The revision that was wanted when the ledger was last written; without a note there, the newest. */
export function previouslyWanted(revisions: readonly Revision[], { wanted }: LedgerRecord): Revision | undefined {
  const newest = revisions.at(-1);
  return wanted && wanted.newest === newest?.number
    ? revisions.find(({ number }) => number === wanted.revision)
    : newest;
}

/** Skips numbers whose ControllerRevision name belongs to somebody else. */
function nextNumber(observed: Observed, revisions: readonly Revision[]): number {
  const { release, memory } = observed;
  let number = Math.max(0, ...revisions.map((revision) => revision.number), ...usedNumbers(observed)) + 1;
  while (memory.nameConflicts.has(`ControllerRevision/${revisionName(release.metadata.name, number)}`)) number += 1;
  return number;
}

/**
 * Needs a dry run of the Deployment of each pool with a template, and of one of the others, before a new revision is recorded. It
 * asks for the write that follows: with RollingUpdate a change of the live Deployment, where a policy or a quota may refuse
 * another Deployment.
 */
function proveTemplate(
  observed: Observed,
  spec: AppReleaseSpec,
  revisions: readonly Revision[],
  number: number,
  data: RevisionData,
): Wanted {
  const { name, namespace, uid } = observed.release.metadata;
  const revision: Revision = {
    name: revisionName(name, number),
    number,
    uid: '',
    resourceVersion: '',
    createdAt: '',
    data,
    facts: { pools: {}, approvals: {} },
  };
  const topology = topologyOf(spec);
  const workloads = rollingWorkloads(observed, topology, revisions);
  const pools = spec.stages.flatMap((stage) => stage.pools);
  const plain = pools.find(({ template }) => template === undefined);
  const stored: Record<string, string> = {};
  for (const pool of pools.filter((candidate) => candidate === plain || candidate.template !== undefined)) {
    const identity = {
      pool: pool.name,
      revision,
      placement: placementOf(pool),
      strategy: spec.strategy.type,
      key: own(data.placements, pool.name) ?? '',
    };
    const live = workloads.filter((workload) => workload.pool === pool.name).at(-1);
    const deployment = reading(`spec.template with the template of pool ${pool.name}`, () =>
      makeDeployment({
        owner: { name, namespace, uid },
        identity: { ...identity, ...(live && { name: live.name }) },
        track: live?.track ?? trackName(serviceName(name, pool), identity),
        replicas: live ? live.deployment.spec.replicas : pool.replicas,
        topology,
      }),
    );
    const hash = desiredHash(deployment);
    const answer = observed.memory.dryRuns.get(hash);
    const exists = live !== undefined;
    if (answer === undefined) return { state: 'Unproven', hash, deployment, exists };
    if (answer.ok) {
      const { pods } = answer;
      const alike = pool === plain ? pools.filter(({ template }) => template === undefined) : [pool];
      if (pods !== undefined) for (const one of alike) setOwn(stored, one.name, pods);
      continue;
    }
    const { reason, message } = answer;
    if (reason === 'TemplateRejected') return { state: 'Invalid', reason, message };
    return { state: 'Unproven', hash, deployment, exists, refused: { reason, message } };
  }
  return { state: 'New', number, data: Object.keys(stored).length > 0 ? { ...data, stored } : data };
}

/** The Deployments that a new revision changes in place, the newest last. Their pods do not matter here. */
function rollingWorkloads(observed: Observed, topology: Topology, revisions: readonly Revision[]): Workload[] {
  if (topology.strategy.type !== 'RollingUpdate') return [];
  return viewWorkloads({ ...observed, pods: [] }, topology, revisions)
    .filter((workload) => !isScribbled(workload) && workload.strategy === 'RollingUpdate')
    .toSorted((a, b) => a.revision - b.revision);
}
