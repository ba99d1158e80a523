/**
 * A size that came in one edit with another revision: the pool keeps the size that it has until that revision serves there, so
 * that a version that never gets ready does not make production smaller. Pure.
 */
import { own } from '../../lib/own.ts';
import type { PoolFacts } from '../record/recorded-data.ts';
import { isRunBy } from '../record/kept-pods.ts';
import type { Revision } from '../record/revision.ts';
import { inputHash, poolFacts } from '../record/revision.ts';
import type { KeptSize, PoolState, Rollout, Workload } from './view.ts';
import type { Wanted } from './wanted-states.ts';

type Pool = Omit<PoolState, 'keptSize' | 'scaled'>;

/**
 * `lastWanted`: the revision that was wanted before the one of the spec, if that is not recorded. `asked`: the size that came
 * with the latter, if it is noted.
 */
export function findKeptSize(
  pool: Pool,
  wanted: Wanted,
  lastWanted: Revision | undefined,
  asked: number | undefined,
): KeptSize | undefined {
  const { spec } = pool;
  if (spec.autoscaling) return undefined;
  if (wanted.state !== 'Recorded') {
    const before = sizeBefore(pool, lastWanted);
    const isLaterEdit = asked !== undefined && asked !== spec.replicas;
    return before === undefined || before === spec.replicas || isLaterEdit ? undefined : { size: before };
  }
  const { revision } = wanted;
  const sized = sizedIn(pool, revision, spec.replicas);
  if (!sized || (sized.to > sized.from && isLetIn(pool, revision))) return undefined;
  return { size: sized.from, until: revision };
}

/** The size of a pool that came with the revision of the spec, as the ledger notes while that is not recorded. */
export function askedSize(
  { spec, record: { asked } }: Pick<Rollout, 'spec' | 'record'>,
  pool: string,
): number | undefined {
  return spec && asked?.input === inputHash(spec) ? own(asked.sizes, pool) : undefined;
}

/** What a recorded revision notes when it is wanted again, in place of `before`, with an edit of the pool's size. */
export function sizedWith(pool: Pool, before: Revision | undefined, wanted: Revision): PoolFacts['sized'] {
  const { spec } = pool;
  if (spec.autoscaling || hasArrived(pool, wanted)) return undefined;
  const from = sizeBefore(pool, before);
  return from === undefined || from === spec.replicas ? undefined : { from, to: spec.replicas };
}

/** The note of the edit, if the revision does not serve yet and the size has not been edited since. */
export function sizedIn(pool: Pool, revision: Revision, replicas: number | undefined): PoolFacts['sized'] {
  const { sized } = poolFacts(revision, pool.name);
  return sized?.to === replicas && !hasArrived(pool, revision) ? sized : undefined;
}

/** The size of the pool by the recorded spec. */
function sizeBefore(pool: Pool, revision: Revision | undefined): number | undefined {
  const { recordedReplicas } = pool;
  return (revision && sizedIn(pool, revision, recordedReplicas))?.from ?? recordedReplicas;
}

/** With RollingUpdate the pods of both revisions share a Deployment, and its size, until all pods are of the new one. */
function hasArrived({ name, served, current }: Pool, revision: Revision): boolean {
  if (served !== revision || !current) return false;
  return current.strategy === 'BlueGreen' || poolFacts(revision, name).healthySince !== undefined;
}

/** Whether the revision rolls out in the pool, so that a larger size can be used at once. */
function isLetIn({ name, entered, hold }: Pool, revision: Revision): boolean {
  const { entered: entry, failed } = poolFacts(revision, name);
  return entered === revision && !hold && failed?.attempt !== entry?.attempt;
}

/** The size of the spec, or the one that the pool keeps. Absent workload: a new Deployment of `revision`. */
export function sizeFor(
  { spec, keptSize }: Pick<PoolState, 'spec' | 'keptSize'>,
  workload: Workload | undefined,
  revision?: Revision,
): number {
  if (!keptSize) return spec.replicas;
  const { size, until } = keptSize;
  const isNew = workload
    ? until !== undefined && isRunBy(until, workload) && workload.strategy === 'BlueGreen'
    : revision === undefined || revision === until;
  return isNew ? spec.replicas : size;
}

/** Says why the pool does not have the size of the spec. */
export function keptSizeMessage({ spec, keptSize }: Pick<PoolState, 'spec' | 'keptSize'>): string | undefined {
  if (!keptSize) return undefined;
  const { size, until } = keptSize;
  const which = until ? `version ${until.data.input.version} (revision ${until.number})` : 'the version of the spec';
  return `${size} until ${which} serves here, then spec.replicas ${spec.replicas}`;
}
