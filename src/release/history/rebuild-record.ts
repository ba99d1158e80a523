/**
 * Rebuilds the record of a served revision that somebody deleted, from the Deployments that run it. Only a record that renders
 * exactly their pods is written, so that nothing restarts. Pure.
 */
import type { PodTemplate } from '../../api/app-release.ts';
import { ANNOTATION } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import type { Action } from '../record/actions.ts';
import { makeDeployment } from '../record/desired.ts';
import { revisionName } from '../record/names.ts';
import type { Facts, PinnedImage, PoolFacts, RevisionData } from '../record/recorded-data.ts';
import { readRevisionData } from '../record/recorded.ts';
import { RENDERER } from '../record/renderers.ts';
import type { Revision } from '../record/revision.ts';
import { knownPins, otherKey, poolFacts, templateImages } from '../record/revision.ts';
import { storedPods } from '../record/same-pods.ts';
import { hasSameContent, splitTemplates, templateOf, withoutRestart } from '../record/template-of.ts';
import { unpin } from '../record/unpin.ts';
import { entryTime } from '../stages/entering.ts';
import { creationWait } from '../state/held-names.ts';
import { isHealthy, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout, Workload } from '../state/view.ts';
import { leftAt } from '../traffic/reach.ts';
import { commonPorts } from '../traffic/service.ts';

/** A pool with a Deployment of the revision. */
interface Running {
  pool: PoolView;
  workload: Workload;
}

/** One record for each lost revision that the API server does not have either. */
export function rebuildRecords(view: Rollout): Action[] {
  const { lost } = view.observed.memory;
  const numbers = new Set(view.pools.flatMap((pool) => pool.lost?.number ?? []));
  return [...numbers]
    .filter((number) => lost.has(`ControllerRevision/${revisionName(view.owner.name, number)}`))
    .flatMap((number) => rebuildRecord(view, number) ?? []);
}

function rebuildRecord(view: Rollout, number: number): Action | undefined {
  const pools = view.pools.filter(({ lost }) => lost?.number === number);
  const serving = pools.flatMap((pool) => runningIn(pool, pool.current, number));
  // What a pool serves without its Deployment cannot be compared.
  if (serving.length < pools.length) return undefined;
  const standing = view.pools.filter((pool) => !pools.includes(pool)).flatMap((pool) => standbyIn(pool, number));
  const revision = rebuilt(view, number, [...serving, ...standing]) ?? rebuilt(view, number, serving);
  if (!revision) return undefined;
  const { name, data } = revision;
  const { version } = data.input;
  const facts: Facts = { pools: factsOf(view, revision, serving, standing), approvals: {} };
  const where = serving.map(({ pool }) => pool.name).join(', ');
  const action: Action = {
    kind: 'CreateRevision',
    message: `rebuild the record of revision ${number} from the Deployments of ${where}`,
    name,
    number,
    data,
    annotations: { [ANNOTATION.version]: version, [ANNOTATION.facts]: JSON.stringify(facts) },
    notices: [
      {
        type: 'Warning',
        reason: 'RecordRebuilt',
        note: `ControllerRevision ${name} was deleted: the record of version ${version} (revision ${number}) is rebuilt from what ${where} runs, and no pod changes. Its marks, soak, approvals and barrier are lost`.slice(
          0,
          1000,
        ),
      },
    ],
  };
  const isTaken = view.observed.memory.nameConflicts.has(`ControllerRevision/${name}`);
  return isTaken || creationWait(view.observed, view.heldNames, action) !== undefined ? undefined : action;
}

function runningIn(pool: PoolView, workload: Workload | undefined, number: number): Running[] {
  return workload?.revision === number ? [{ pool, workload }] : [];
}

/** The Deployment that the Service of the pool selected before, which a rollback may need. */
function standbyIn(pool: PoolView, number: number): Running[] {
  return pool.workloads
    .filter((workload) => workload !== pool.current && leftAt(pool.group, workload.track) !== undefined)
    .flatMap((workload) => runningIn(pool, workload, number))
    .slice(0, 1);
}

/** The revision that renders exactly what these Deployments run; undefined if there is none. */
function rebuilt(view: Rollout, number: number, running: readonly Running[]): Revision | undefined {
  const versions = new Set(
    running.map(({ workload }) => workload.deployment.metadata.annotations?.[ANNOTATION.version]),
  );
  const [version] = versions;
  if (version === undefined || versions.size > 1) return undefined;
  const ports = commonPorts(view.topology, new Set(running.map(({ pool }) => pool.group)));
  const templates = byPool(running, (one) => templateOf(liveTemplate(view, one), one.workload.placement));
  const unpinned = unpin(templates, (name) => knownPin(view, version, name));
  if (!ports || !unpinned) return undefined;
  const data: RevisionData = {
    renderer: RENDERER,
    input: { version, ...splitTemplates(unpinned.templates), ports, barrier: false },
    images: unpinned.images,
    placements: Object.fromEntries(byPool(running, recordedKey)),
    stored: Object.fromEntries(byPool(running, (one) => storedPods(liveTemplate(view, one)))),
  };
  const name = revisionName(view.owner.name, number);
  const facts: Facts = { pools: {}, approvals: {} };
  const revision = { name, number, uid: '', resourceVersion: '', createdAt: '', data, facts };
  const isExact = running.every((one) => rendersTheSame(view, revision, one));
  return isExact && readRevisionData(data) ? revision : undefined;
}

function byPool<Value>(running: readonly Running[], valueOf: (one: Running) => Value): Map<string, Value> {
  return new Map(running.map((one) => [one.pool.name, valueOf(one)]));
}

/** A pin that knows the platforms of an index: of another revision, of the ledger, or of the registry. */
function knownPin(
  { observed, revisions, record, spec }: Rollout,
  version: string,
  name: string,
): PinnedImage | undefined {
  const known = own(knownPins(version, revisions, record.ledger), name);
  // The registry is asked only for what the spec asks it for.
  if (known || !spec || !templateImages(spec.template).includes(name)) return known;
  const { state, ...pin } = { digest: '', image: '', ...observed.lookUpDigest(name, spec.template) };
  return state === 'resolved' ? pin : undefined;
}

/** The template of a Deployment, without the mark of `kubectl rollout restart`, which is not part of a version. */
function liveTemplate({ spec }: Rollout, { workload }: Running): PodTemplate {
  return withoutRestart(workload.deployment.spec.template, spec?.template);
}

function rendersTheSame(view: Rollout, revision: Revision, running: Running): boolean {
  const { pool, workload } = running;
  const { placement, strategy, key, name, track } = workload;
  const identity = { pool: pool.name, revision, placement, strategy, key, name };
  const { owner, topology } = view;
  const { template } = makeDeployment({ owner, identity, track, replicas: undefined, topology }).spec;
  return hasSameContent(template, liveTemplate(view, running));
}

/** The name of a Deployment ends with its key if the revision was recorded for other VMs. */
function recordedKey({ workload: { key, track } }: Running): string {
  return track.endsWith(`-${key.slice(0, 5)}`) ? otherKey(key) : key;
}

/**
 * A pool that serves the revision well has it good, because a failure of the next version would otherwise take the pool past it,
 * to an older version. `healthySince` stays open: the stage soaks again before the next one. An accepted rollback marks it again.
 */
function factsOf(
  view: Rollout,
  revision: Revision,
  serving: readonly Running[],
  standing: readonly Running[],
): Record<string, PoolFacts> {
  const good = new Date(view.now).toISOString();
  const served = serving.map(({ pool, workload }) => {
    const entered = { at: enteredAt(view, pool), attempt: 1, key: workload.key };
    return [pool.name, { entered, ...(isHealthy(view, pool, revision) && { good }) }] as const;
  });
  const stood = standing
    .filter(({ pool }) => Object.hasOwn(revision.data.placements, pool.name))
    .filter(({ workload }) => workload.ownReady > 0)
    .map(({ pool }) => [pool.name, { good }] as const);
  return Object.fromEntries<PoolFacts>([...served, ...stood]);
}

/** A revision that enters the pool just now stays the one that entered last. */
function enteredAt(view: Rollout, pool: PoolView): string {
  const { entered, name } = pool;
  const entry = entered && entered === wantedRevision(view) ? poolFacts(entered, name).entered : undefined;
  return entry ? new Date(Date.parse(entry.at) - 1).toISOString() : entryTime(view, pool);
}
