/** The revision that the spec wants, or what is missing to record it. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import type { Reason } from '../../api/reasons.ts';
import { own } from '../../lib/own.ts';
import { internalProblem, reading } from '../record/internal-error.ts';
import { usedNumbers } from './lost.ts';
import { revisionName } from '../record/names.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { DesiredDeployment } from '../record/kube-objects.ts';
import type { MovedTag, Observed } from './observed.ts';
import { makeDeployment } from '../record/desired.ts';
import { RENDERER } from '../record/renderers.ts';
import type { Revision } from '../record/revision.ts';
import type { Ledger, RevisionData, Topology } from '../record/recorded-data.ts';
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
import { readSpec } from './valid-spec.ts';

export type Wanted =
  | { state: 'Recorded'; revision: Revision }
  /** The spec is invalid. Running pods stay as they are. */
  | ({ state: 'Invalid' } & SpecProblem)
  /** The operator asks a registry, or `isQueued`: will ask; `failed`: the error that is shown to users. */
  | { state: 'Resolving'; failed?: { reason: Reason; message: string; retryable: boolean }; isQueued?: true }
  /** All images are pinned. A dry run must show whether the API server accepts the template. */
  | { state: 'Unproven'; hash: string; deployment: DesiredDeployment }
  | { state: 'New'; number: number; data: RevisionData };

/** The topology of the spec if the spec is valid, else the last valid topology. */
export type SpecView =
  | { spec: AppReleaseSpec; topology: Topology; movedTags: readonly MovedTag[]; wanted: Wanted }
  | { spec?: never; topology: Topology; movedTags: readonly never[]; wanted: InvalidSpec }
  | { spec?: never; topology?: never; wanted: InvalidSpec };

export type InvalidSpec = Extract<Wanted, { state: 'Invalid' }>;

/** `problem`: the exception of a rule. The spec then counts as invalid, so that the other rules continue. */
export function viewSpec(
  observed: Observed,
  revisions: readonly Revision[],
  record: { ledger: Ledger; topology?: Topology },
  problem?: SpecProblem,
): SpecView {
  const read = problem ? { problem } : readSpec(observed);
  if ('problem' in read) return invalid(record.topology, read.problem);
  const { spec } = read;
  try {
    return {
      spec,
      topology: topologyOf(spec),
      movedTags: findMovedTags(observed, read, revisions, record.ledger),
      wanted: findWanted(observed, read, revisions, record.ledger),
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
  ledger: Ledger,
): Wanted {
  const pools = spec.stages.flatMap((stage) => stage.pools);
  const input = revisionInput(spec, version);
  const names = new Set(pools.map(({ name }) => name));
  const recorded = revisions.findLast(({ data }) => sameInput(data.input, input, names));
  if (recorded) return { state: 'Recorded', revision: recorded };

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
  return proveTemplate(observed, spec, number, data);
}

/** Skips numbers whose ControllerRevision name belongs to somebody else. */
function nextNumber(observed: Observed, revisions: readonly Revision[]): number {
  const { release, memory } = observed;
  let number = Math.max(0, ...revisions.map((revision) => revision.number), ...usedNumbers(observed)) + 1;
  while (memory.nameConflicts.has(`ControllerRevision/${revisionName(release.metadata.name, number)}`)) number += 1;
  return number;
}

/**
 * Needs a dry run of the Deployment of the first pool and of each pool with a template before a new revision is recorded.
 */
function proveTemplate(observed: Observed, spec: AppReleaseSpec, number: number, data: RevisionData): Wanted {
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
  const pools = spec.stages.flatMap((stage) => stage.pools);
  for (const pool of pools.filter((candidate, index) => index === 0 || candidate.template !== undefined)) {
    const identity = {
      pool: pool.name,
      revision,
      placement: placementOf(pool),
      strategy: spec.strategy.type,
      key: own(data.placements, pool.name) ?? '',
    };
    const deployment = reading(`spec.template with the template of pool ${pool.name}`, () =>
      makeDeployment({
        owner: { name, namespace, uid },
        identity,
        track: 'dry-run',
        replicas: 0,
        topology: topologyOf(spec),
      }),
    );
    deployment.metadata.name = `${revision.name}-dry-run`;
    const hash = shortHash(deployment);
    const answer = observed.memory.dryRuns.get(hash);
    if (answer === undefined) return { state: 'Unproven', hash, deployment };
    if (!answer.ok) return { state: 'Invalid', reason: 'TemplateRejected', message: answer.message };
  }
  return { state: 'New', number, data };
}
