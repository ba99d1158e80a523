/** observe → plan: what to do next, as data. Pure and synchronous; every rule is small and has a name. */
import { ANNOTATION } from '../api/meta.ts';
import type { Action } from './record/actions.ts';
import { collectAutoscalers } from './pools/autoscaler.ts';
import { reconcileBudgets } from './pools/disruption-budget.ts';
import { markBarrier } from './history/barrier.ts';
import { forgetEditedSizes, noteEditedSizes } from './history/edited-sizes.ts';
import { collectRevisions } from './history/collect-revisions.ts';
import { collectPools } from './pools/collect-pools.ts';
import { leftDue } from './pools/left-pools.ts';
import { reconcileLedger } from './history/ledger.ts';
import { rebuildRecords } from './history/rebuild-record.ts';
import { ownRevisions, recordRevision } from './history/record-revision.ts';
import { ownerReference } from './record/desired.ts';
import { draftFacts } from './record/facts-draft.ts';
import { enterStages } from './stages/entering.ts';
import { enterRenamed } from './stages/renamed.ts';
import { dropMarks, holdsEnd, reconcileDoNotDisrupt } from './pools/do-not-disrupt.ts';
import { internalProblem, orElse } from './record/internal-error.ts';
import { markPools, nextDue } from './health/record-health.ts';
import { answerFailure } from './rollback/automatic.ts';
import { exposureDue, markExposures } from './stages/exposure.ts';
import { enterMoves, moveDue } from './stages/moves.ts';
import type { Observed } from './state/observed.ts';
import { leftRoutesDue, reconcileLeftRoutes } from './route/left-routes.ts';
import { reconcileRoute, routeDue } from './route/reconcile-route.ts';
import { markPulls, removePulls, startPulls } from './stages/prepull.ts';
import { answerPromotions } from './stages/promotions.ts';
import { findLost } from './history/find-lost.ts';
import { keepAnswers, restoreAnswers } from './history/answers.ts';
import { answerRollbacks, followRollbacks, markRolledBack } from './rollback/rollback.ts';
import type { Claims } from './state/claim.ts';
import { claimsOf, giveRoomBack, roomDeadlines } from './stages/reservation.ts';
import { rollOutGroup } from './pools/roll-out.ts';
import type { GroupPlan } from './state/pool-move.ts';
import { creationWait } from './state/held-names.ts';
import type { Rollout, View } from './state/view.ts';
import { view } from './view.ts';

export interface Plan {
  /** Applied concurrently: no action depends on another action of the same plan. */
  actions: Action[];
  /** The actions are those of `STORE_FIRST`. */
  storesFirst?: true;
  /** When the next pass is due even if nothing changes (ms since the epoch). */
  due?: number;
  /** Why objects are not created yet. */
  wait?: string;
  view: View;
  /** Room on VMs that is reserved for this release once the plan is applied. */
  claims: Claims;
}

type Rule<Seen> = (view: Seen) => Action[];

/** If one of these rules has actions, the plan has no others: the next plan is made after these writes. */
const STORE_FIRST: readonly Rule<View>[] = [
  findLost,
  restoreAnswers,
  answerRollbacks,
  endHolds,
  enterRenamed,
  markBarrier,
  noteEditedSizes,
];

/** The rules that run once `STORE_FIRST` has nothing to write. */
const RULES: readonly Rule<Rollout>[] = [
  reconcileRequests,
  reconcileLedger,
  rebuildRecords,
  recordWanted,
  recordFacts,
  answerFailures,
  removePulls,
  startPulls,
  collectPools,
  collectAutoscalers,
  reconcileBudgets,
  reconcileRoute,
  reconcileLeftRoutes,
  reconcileDoNotDisrupt,
  collectRevisions,
];

/** The rules that need no pools: no pool is known as long as the spec was never valid. */
const RULES_WITHOUT_POOLS: readonly Rule<View>[] = [reconcileRequests, removePulls, reconcileDoNotDisrupt];

/** These rules run only in a plan without other actions, which may write to the same objects. */
const WHEN_IDLE: readonly Rule<View>[] = [ownRevisions];

/**
 * If a rule throws, the plan treats the spec as not valid and leaves out the rules that throw: rollbacks go on, and the
 * served revision keeps running.
 */
export function plan(observed: Observed, now: number): Plan {
  try {
    return planOf(view(observed, now), now, (_otherwise, rule) => rule());
  } catch (error) {
    return planOf(view(observed, now, internalProblem(error)), now, orElse);
  }
}

/** Returns the result of `rule`, or `otherwise` if `rule` throws. */
type Run = <Result>(otherwise: Result, rule: () => Result) => Result;

function planOf(seen: View, now: number, run: Run): Plan {
  const { metadata } = seen.observed.release;
  if (metadata.deletionTimestamp !== undefined) {
    // Its pods may stay: a deletion can orphan them.
    return { actions: run([], () => dropMarks(seen.observed.pods)), view: seen, claims: NO_CLAIMS };
  }
  for (const rule of STORE_FIRST) {
    const actions = run([], () => rule(seen));
    if (actions.length > 0)
      return { actions, storesFirst: true, view: seen, claims: run(NO_CLAIMS, () => claimsOf(seen)) };
  }
  const steps =
    seen.kind === 'Rollout' ? rollOut(seen, run) : { actions: runAll(RULES_WITHOUT_POOLS, seen, run), due: [] };
  const actions = steps.actions.filter((action) => creationWait(seen.observed, seen.heldNames, action) === undefined);
  const [wait] = steps.actions.flatMap((action) => creationWait(seen.observed, seen.heldNames, action) ?? []);
  const due = steps.due.filter((time) => time > now);
  return {
    actions: actions.length > 0 ? actions : runAll(WHEN_IDLE, seen, run),
    ...(due.length > 0 && { due: Math.min(...due) }),
    ...(wait !== undefined && { wait }),
    view: seen,
    claims: run(NO_CLAIMS, () => claimsOf(afterwards(seen, actions))),
  };
}

function rollOut(seen: Rollout, run: Run): GroupPlan {
  const groups = seen.groups.map((group) => run({ actions: [], due: [] }, () => rollOutGroup(seen, group)));
  return {
    due: [...run([], () => nextTimes(seen)), ...groups.flatMap(({ due }) => due)],
    actions: [...runAll(RULES, seen, run), ...groups.flatMap(({ actions }) => actions)],
  };
}

function runAll<Seen>(rules: readonly Rule<Seen>[], seen: Seen, run: Run): Action[] {
  return rules.flatMap((rule) => run([], () => rule(seen)));
}

const NO_CLAIMS: Claims = { release: '', reserved: [] };

/** The view as it will be once the plan's facts are written. */
function afterwards(seen: View, actions: readonly Action[]): View {
  const facts = new Map(
    actions.flatMap((action) =>
      action.kind === 'AnnotateRevision' && action.annotations[ANNOTATION.facts] !== undefined
        ? [[action.target.name, action.annotations] as const]
        : [],
    ),
  );
  const created = actions.filter((action) => action.kind === 'CreateRevision');
  const base = created.reduce((observed, action) => withRevision({ ...seen, observed }, action), seen.observed);
  if (facts.size === 0 && created.length === 0) return seen;
  const revisions = base.revisions.map((object) => {
    const { metadata } = object;
    const annotations = { ...metadata.annotations, ...facts.get(metadata.name) };
    return facts.has(metadata.name) ? { ...object, metadata: { ...metadata, annotations } } : object;
  });
  return view({ ...base, revisions }, seen.now);
}

/** The end of a hold is stored before the pools may roll to the revision that was held. */
function endHolds(seen: View): Action[] {
  return followRollbacks(seen).filter(
    (action) =>
      action.kind === 'PatchRollback' &&
      action.status.endedAt !== undefined &&
      seen.observed.rollbacks.some(
        ({ metadata, status }) => metadata.name === action.target.name && status?.endedAt === undefined,
      ),
  );
}

/** At most one write for each rollback and promotion: a second one with the same resourceVersion would be a conflict. */
function reconcileRequests(seen: View): Action[] {
  const answered = [...followRollbacks(seen), ...answerPromotions(seen)];
  const written = new Set(answered.map((action) => 'target' in action && action.target.uid));
  const kept = keepAnswers(seen).filter((action) => action.kind === 'KeepAnswer' && !written.has(action.target.uid));
  return [...answered, ...kept];
}

/** Records the wanted revision, in the same write with the facts that follow at once: the pools that it enters. */
function recordWanted(seen: Rollout): Action[] {
  return recordRevision(seen).map((action) => {
    if (action.kind !== 'CreateRevision') return action;
    const next = view(withRevision(seen, action), seen.now);
    const [facts, ...others] = next.kind === 'Rollout' ? recordFacts(next) : [];
    if (facts?.kind !== 'AnnotateRevision' || facts.target.name !== action.name || others.length > 0) return action;
    const notices = [...(action.notices ?? []), ...(facts.notices ?? [])];
    return { ...action, annotations: { ...action.annotations, ...facts.annotations }, notices };
  });
}

/** The observed state as it will be once the revision is created. */
function withRevision(
  { observed, owner, now }: Pick<View, 'observed' | 'owner' | 'now'>,
  { name, number, data, annotations }: Action & { kind: 'CreateRevision' },
): Observed {
  const metadata = {
    name,
    namespace: owner.namespace,
    uid: '',
    resourceVersion: '',
    creationTimestamp: new Date(now).toISOString(),
    annotations,
    // Without its owner it would be somebody else's.
    ownerReferences: [ownerReference(owner)],
  };
  return { ...observed, revisions: [...observed.revisions, { metadata, revision: number, data }] };
}

function recordFacts(seen: Rollout): Action[] {
  const drafts = draftFacts();
  markRolledBack(seen, drafts);
  markPools(seen, drafts);
  markPulls(seen, drafts);
  forgetEditedSizes(seen, drafts);
  giveRoomBack(seen, drafts);
  markExposures(seen, drafts);
  enterMoves(seen, drafts, enterStages(seen, drafts));
  return drafts.actions();
}

function answerFailures(seen: Rollout): Action[] {
  const answer = answerFailure(seen);
  return answer?.kind === 'Rollback' ? [answer.action] : [];
}

function nextTimes(seen: Rollout): number[] {
  const gates = seen.topology.stages.flatMap((stage) => seen.gate(stage)?.until ?? []);
  return [
    ...gates,
    ...nextDue(seen),
    ...moveDue(seen),
    ...roomDeadlines(seen),
    ...holdsEnd(seen),
    ...leftDue(seen),
    ...routeDue(seen),
    ...exposureDue(seen),
    ...leftRoutesDue(seen),
  ];
}
