/** The revisions of a release, with who let each go on or took it back. Pure. */
import type { HistoryEntry } from '../../api/app-release-status.ts';
import { findCondition } from '../../api/conditions.ts';
import type { PROMOTIONS, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import type { Live } from '../../kube/types.ts';
import type { LiveRelease } from './releases.ts';

export type LivePromotion = Live<NonNullable<(typeof PROMOTIONS)['type']>>;
export type LiveRollback = Live<NonNullable<(typeof ROLLBACKS)['type']>>;

/** What somebody asked for, or the operator did, with a revision. */
export interface HistoryStep {
  /** RFC 3339. */
  readonly at: string;
  readonly kind: 'Promotion' | 'Rollback';
  /** The name of the ReleasePromotion or ReleaseRollback. */
  readonly name: string;
  /** promoted to stage production; rolled back to 1.0 */
  readonly what: string;
  readonly by?: string;
  readonly reason?: string;
}

export interface HistoryRow extends HistoryEntry {
  /** The spec wants it. */
  readonly isWanted: boolean;
  /** The pools that serve it. */
  readonly pools: readonly string[];
  /** The oldest first. */
  readonly steps: readonly HistoryStep[];
}

export interface Requests {
  /** undefined: they are not shown. */
  readonly promotions: readonly LivePromotion[] | undefined;
  readonly rollbacks: readonly LiveRollback[] | undefined;
}

/** The newest first. */
export function historyOf(
  { metadata, status }: LiveRelease,
  { promotions = [], rollbacks = [] }: Requests,
): HistoryRow[] {
  const isOurs = ({ spec, status: own }: LivePromotion | LiveRollback) =>
    spec.release === metadata.name && (own?.releaseUID === undefined || own.releaseUID === metadata.uid);
  const steps = [
    ...promotions.filter(isOurs).flatMap(promotionStep),
    ...rollbacks.filter(isOurs).flatMap(rollbackSteps),
  ].toSorted((one, other) => Date.parse(one.step.at) - Date.parse(other.step.at));
  return (status?.history ?? []).map((entry) => ({
    ...entry,
    isWanted: entry.revision === status?.revision,
    pools: (status?.pools ?? []).filter(({ revision }) => revision === entry.revision).map(({ name }) => name),
    steps: steps.filter(({ revision }) => revision === entry.revision).map(({ step }) => step),
  }));
}

interface StepOf {
  readonly revision: number;
  readonly step: HistoryStep;
}

function promotionStep({ metadata, spec, status }: LivePromotion): StepOf[] {
  if (status?.revision === undefined) return [];
  const { completedAt } = status;
  const where = spec.step === undefined ? `to stage ${spec.stage}` : `from step ${spec.step} of stage ${spec.stage}`;
  const complete = findCondition(status.conditions, 'Complete');
  const what =
    completedAt === undefined
      ? `promotion ${where} ${complete ? `is not used: ${complete.reason}` : 'waits'}`
      : `promoted ${where}${spec.skipSoak ? ' without its soak' : ''}`;
  return [
    {
      revision: status.revision,
      step: {
        at: completedAt ?? metadata.creationTimestamp,
        kind: 'Promotion',
        name: metadata.name,
        what,
        ...askedBy(spec),
      },
    },
  ];
}

/** A rollback that was rejected is no part of the history. */
function rollbackSteps({ metadata, spec, status }: LiveRollback): StepOf[] {
  if (status?.acceptedAt === undefined) return [];
  const { acceptedAt, endedAt } = status;
  const left = new Set(
    (status.pools ?? []).flatMap(({ from, to }) => (from === undefined || from === to ? [] : [from])),
  );
  if (status.heldAgainst !== undefined) left.add(status.heldAgainst);
  const where = spec.pools === undefined ? '' : ` in ${spec.pools.join(', ')}`;
  const end = endedAt === undefined ? '' : ', ended';
  const what = `rolled back to ${status.toVersion ?? 'what ran'}${where}${spec.force ? ' past a barrier' : ''}${end}`;
  const step: HistoryStep = { at: acceptedAt, kind: 'Rollback', name: metadata.name, what, ...askedBy(spec) };
  return [...left].map((revision) => ({ revision, step }));
}

function askedBy({
  requestedBy,
  reason,
}: {
  requestedBy?: string | undefined;
  reason?: string | undefined;
}): Pick<HistoryStep, 'by' | 'reason'> {
  return { ...(requestedBy !== undefined && { by: requestedBy }), ...(reason !== undefined && { reason }) };
}
