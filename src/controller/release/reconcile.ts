/** One pass over one release: observe → plan → apply, until a plan has no actions, then status. */
import type { AppRelease } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import { listAll } from '../../kube/client.ts';
import { findCondition } from '../../api/conditions.ts';
import type { Action } from '../../release/record/actions.ts';
import { internalProblem } from '../../release/record/internal-error.ts';
import type { Observed } from '../../release/state/observed.ts';
import type { Plan } from '../../release/plan.ts';
import { plan } from '../../release/plan.ts';
import { waitsForVms } from '../../release/status/ready.ts';
import type { Claims } from '../../release/state/claim.ts';
import { claimsOf } from '../../release/stages/reservation.ts';
import { internalErrorStatus } from '../../release/status/status.ts';
import type { SpecProblem } from '../../release/state/valid-spec.ts';
import { templateImages } from '../../release/record/revision.ts';
import type { Rollout, View } from '../../release/state/view.ts';
import { besideInFlight, stopsPodsOf } from '../../release/traffic/in-flight.ts';
import { coveredSince } from '../../release/route/left-routes.ts';
import { movesTraffic } from '../../release/traffic/write-service.ts';
import { view } from '../../release/view.ts';
import { applyAction } from './apply.ts';
import { RELEASE_INDEX } from '../kinds/indexes.ts';
import { isStale } from './conflicts.ts';
import type { ReleaseMemory } from './memory.ts';
import { createMemory, expiryDue } from './memory.ts';
import type { Flight } from './in-flight.ts';
import { landBefore, landing, noteFlight, takeErrors } from './in-flight.ts';
import { createClaimBook } from './claims.ts';
import type { RoomLook } from './observe.ts';
import { observe, observeCached } from './observe.ts';
import { answerOrphans } from './unbound-requests.ts';
import { releaseVms } from './release-vms.ts';
import { APP_RELEASES } from '../kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../kinds/deployments.ts';
import { PODS } from '../kinds/pods.ts';
import { describe } from './trouble.ts';
import { putStatus, TELL_AFTER, writeStatus } from './write-status.ts';
import { createRoomCounter, createRooms } from './rooms.ts';
import type { Reconcile, ReconcileContext, ReconcileResult } from './context.ts';

/** Rounds of a pass. A write leads to the next round at once, but a pass must end; the next pass continues. */
const MAX_ROUNDS = 12;
/** The longest time without a pass (ms). */
const RESYNC_MS = 600_000;

export function createReconciler(context: ReconcileContext): Reconcile {
  const memories = new Map<string, ReleaseMemory>();
  const room = { rooms: createRooms(context.caches), countRoom: createRoomCounter() };
  const book = createClaimBook(
    () => context.caches.releases.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    lookUpClaims,
  );

  /** The claims of a release without a pass in this process. Its own pass reports the errors. */
  function lookUpClaims(key: string): Claims | undefined {
    const [namespace = '', name = ''] = key.split('/');
    const release = context.caches.releases.get(namespace, name);
    if (!release) return undefined;
    const now = context.now();
    try {
      return claimsOf(view(observeCached(context, release, createMemory(), now, room), now));
    } catch {
      return undefined;
    }
  }

  async function reconcile(key: string, interruption: AbortSignal): Promise<ReconcileResult> {
    const [namespace = '', name = ''] = key.split('/');
    const release = context.caches.releases.get(namespace, name);
    if (!release) {
      memories.delete(key);
      const freesRoom = book.forget(key);
      await answerOrphans(context, key);
      await releaseVms(context, key);
      return { freesRoom };
    }
    const memory = memories.get(key) ?? createMemory();
    memories.set(key, memory);
    try {
      const result = await pass(context, release, memory, {
        room: { ...room, others: () => book.others(key) },
        note: (claims) => book.note(key, claims),
        interruption,
      });
      memory.stale = 0;
      return result;
    } catch (error) {
      memory.stale = isStale(error) ? memory.stale + 1 : 0;
      if (memory.stale === TELL_AFTER) tellConflict(context, release, error);
      throw error;
    }
  }
  return reconcile;
}

/** Reports a conflict once; the retries go on with back-off. */
function tellConflict(context: ReconcileContext, release: AppRelease, error: unknown): void {
  const note = `a conflict persists; the operator tries again: ${describe(error)}`.slice(0, 1000);
  context.log('warn', { error }, 'a conflict persists');
  context.record(release, { type: 'Warning', reason: 'ApiServerError', note });
}

/**
 * A promotion approves the revision that is wanted at its creation, often right after a change of the spec. The watch of
 * promotions may be ahead of that of releases, so the release is read before a promotion is bound to a revision.
 */
async function newest(context: ReconcileContext, release: AppRelease): Promise<AppRelease> {
  const { namespace, name } = release.metadata;
  const promotions = context.caches.promotions.byIndex(RELEASE_INDEX, `${namespace}/${name}`);
  if (promotions.every(({ status }) => findCondition(status?.conditions, 'Accepted') !== undefined)) return release;
  context.caches.releases.observeWrite(await context.client.get(APP_RELEASES, { namespace, name }));
  return context.caches.releases.get(namespace, name) ?? release;
}

/** A failure may roll back every pool, so it is judged by live objects: a late watch may not show that pods are ready. */
async function readWorkloads({ client, caches }: ReconcileContext, { metadata }: AppRelease): Promise<void> {
  const selection = { namespace: metadata.namespace, labelSelector: `${LABEL.release}=${metadata.name}`, limit: 500 };
  const [deployments, pods] = await Promise.all([
    listAll(client, DEPLOYMENTS, selection),
    listAll(client, PODS, selection),
  ]);
  for (const deployment of deployments.items) caches.deployments.observeWrite(deployment);
  for (const pod of pods.items) caches.pods.observeWrite(pod);
}

function findsFailure({ actions }: Plan): boolean {
  return actions.some(({ notices = [] }) => notices.some(({ reason }) => reason === 'RevisionFailed'));
}

interface PassOptions {
  room: RoomLook;
  note: (claims: Claims) => boolean;
  interruption: AbortSignal;
}

async function pass(
  context: ReconcileContext,
  cached: AppRelease,
  memory: ReleaseMemory,
  { room, note, interruption }: PassOptions,
): Promise<ReconcileResult> {
  let release = cached;
  let failure: unknown;
  let last: Plan | undefined;
  let hurried = false;
  let isRead = false;
  let freesRoom = false;
  const done: Action[] = [];
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    release = await newest(context, release);
    const now = context.now();
    const observed = await observe(context, release, memory, now, room);
    last = await planOrTell(context, memory, observed, now);
    noteSeen(context, memory, last.view);
    if (!isRead && findsFailure(last)) {
      await readWorkloads(context, release);
      isRead = true;
      continue;
    }
    freesRoom = note(last.claims) || freesRoom;
    const back = last.actions.filter((action) => action.takesTrafficBack);
    // The traffic of this release is back: rollbacks of other releases go before the rest of this pass.
    if (hurried && back.length === 0) return { requeueAfterMs: 0, freesRoom };
    const dangers = dangersTo(back, memory, last.view);
    const first = back.filter((action) => !dangers.has(action));
    if (first.length > 0) {
      done.push(...first);
      failure = await applyAll(context, release, memory, first);
      hurried = failure === undefined;
      // The Services are switched: rollbacks of other releases go before another plan of this one.
      if (hurried && dangers.size === 0 && first.some(movesTraffic)) return { requeueAfterMs: 0, freesRoom };
      if (hurried) continue;
      // The traffic goes back with the next plan, which does not wait for the rest of this one.
      if (isStale(failure) && memory.stale < TELL_AFTER) break;
    }
    if (interruption.aborted) return leave(memory, freesRoom);
    const awaited = dangers.size > 0 ? [...dangers.values()].flat() : startRest(context, release, memory, last, done);
    if (!awaited) break;
    if (!(await landBefore(awaited, interruption))) return leave(memory, freesRoom);
    if (dangers.size > 0) continue;
    failure = takeFailure(memory) ?? failure;
    if (failure !== undefined) break;
  }
  if (!last || release.metadata.deletionTimestamp !== undefined) {
    failure = takeFailure(memory) ?? failure;
    if (failure !== undefined) throw asError(failure);
    return { freesRoom };
  }
  context.onPlan?.(last, done);
  const status = startStatus(context, memory, last, failure);
  if (!(await landBefore([status], interruption))) return leave(memory, freesRoom);
  const late = takeFailure(memory);
  failure ??= late;
  if (failure !== undefined) throw asError(failure);
  // Of the time of the plan: an entry that expires between the plan and now needs another pass.
  const due = [last.due, memory.statusDue]
    .filter((time) => time !== undefined)
    .concat(expiryDue(memory, last.view.now));
  const soonest = Math.min(...due, context.now() + RESYNC_MS);
  return {
    requeueAfterMs: last.actions.length > 0 ? 0 : Math.max(1, soonest - context.now()),
    freesRoom,
    waitsForVms: waitsForVms(last.view),
  };
}

/** The actions that would lead traffic to pods which writes in flight may stop, with these writes. */
function dangersTo(actions: readonly Action[], { inFlight }: ReleaseMemory, { observed }: View): Map<Action, Flight[]> {
  const flights = [...inFlight.flights];
  const dangers = new Map<Action, Flight[]>();
  for (const action of actions) {
    const stopping = flights.filter(
      (flight) => flight.action && stopsPodsOf(flight.action, action, observed.deployments),
    );
    if (stopping.length > 0) dangers.set(action, stopping);
  }
  return dangers;
}

/**
 * Starts the actions that take no traffic back, and returns the writes to wait for; undefined if there is nothing to do. While
 * writes of an interrupted pass are in flight, workloads are not written: the next plan must see where those writes have led.
 */
function startRest(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  last: Plan,
  done: Action[],
): Flight[] | undefined {
  const { flights } = memory.inFlight;
  const rest = last.actions.filter((action) => !action.takesTrafficBack);
  function start(actions: readonly Action[]): Flight[] {
    done.push(...actions);
    return actions.map((action) => noteFlight(memory.inFlight, applyAction(context, release, memory, action), action));
  }
  if (flights.size === 0) return last.actions.length === 0 ? undefined : start(rest);
  const inFlight = [...flights].flatMap(({ action }) => action ?? []);
  const beside = besideInFlight(rest, last.storesFirst ?? false, inFlight);
  if (beside.length > 0) return start(beside);
  if (release.metadata.deletionTimestamp === undefined) startStatus(context, memory, last);
  return [...flights];
}

/** Ends an interrupted pass. Only writes of the traffic are awaited: the next plan must know where it goes. */
async function leave({ inFlight }: ReleaseMemory, freesRoom: boolean): Promise<ReconcileResult> {
  const { flights } = inFlight;
  await landing([...flights].filter(({ action }) => action && movesTraffic(action)));
  return { requeueAfterMs: 0, freesRoom, left: landing(flights) };
}

/** Writes the status, if no such write is in flight. */
function startStatus(context: ReconcileContext, memory: ReleaseMemory, last: Plan, failure?: unknown): Flight {
  const { inFlight } = memory;
  const known = [...inFlight.flights].find(({ action }) => !action);
  return known ?? noteFlight(inFlight, writeStatus(context, memory, last, failure));
}

/** Forgets the errors of the writes that have landed, and returns that which the pass fails with. */
function takeFailure({ inFlight }: ReleaseMemory): unknown {
  return worstOf(takeErrors(inFlight));
}

/** Makes the plan. If it throws, the status reports the internal error, and the pass fails. */
async function planOrTell(
  context: ReconcileContext,
  memory: ReleaseMemory,
  observed: Observed,
  now: number,
): Promise<Plan> {
  const { release } = observed;
  try {
    const made = plan(observed, now);
    const { wanted } = made.view;
    tellInternalError(context, memory, release, wanted.state === 'Invalid' ? wanted : undefined);
    return made;
  } catch (error) {
    const problem = internalProblem(error);
    tellInternalError(context, memory, release, problem);
    await putStatus(context, memory, release, internalErrorStatus(release, now, problem), error);
    throw error;
  }
}

/** Reports an internal error once for each message: an event, which a metric counts, and the stack in the log. */
function tellInternalError(
  context: ReconcileContext,
  memory: ReleaseMemory,
  release: AppRelease,
  problem: SpecProblem | undefined,
): void {
  if (problem?.reason !== 'InternalError') {
    delete memory.internalError;
    return;
  }
  if (memory.internalError === problem.message) return;
  memory.internalError = problem.message;
  context.record(release, { type: 'Warning', reason: 'InternalError', note: problem.message });
  context.log('warn', { error: problem.cause }, 'a rule of the planner threw an error');
}

/** Notes what the next pass and the resolver need of this view. */
function noteSeen(context: ReconcileContext, memory: ReleaseMemory, view: View): void {
  const { observed, spec } = view;
  memory.drained = view.drained();
  if (view.kind === 'Rollout') memory.covered = coveredSince(view);
  if (spec) context.retainImages?.(observed.release, templateImages(spec.template), spec.template);
  if (view.kind === 'Rollout') tellMovedTags(context, memory, view);
}

/** One event for each digest that a tag moves to; the running pods keep theirs. */
function tellMovedTags(context: ReconcileContext, { moved }: ReleaseMemory, view: Rollout): void {
  for (const { image, pinned, digest } of view.movedTags) {
    if (moved.get(image) === digest) continue;
    moved.set(image, digest);
    const note = `${image} now names ${digest}: the running pods keep ${pinned}, a new version gets the new digest`;
    context.record(view.observed.release, { type: 'Warning', reason: 'TagMoved', note });
  }
}

/** Applies actions concurrently; an error stops no other. Returns the first error, conflicts last. */
async function applyAll(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  actions: readonly Action[],
): Promise<unknown> {
  const results = await Promise.allSettled(actions.map((action) => applyAction(context, release, memory, action)));
  return worstOf(results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])));
}

/** The first error, conflicts last. */
function worstOf(errors: readonly unknown[]): unknown {
  return errors.find((error) => !isStale(error)) ?? errors[0];
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error(String(failure));
}
