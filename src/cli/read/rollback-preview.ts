/**
 * What a ReleaseRollback would change in each pool, as far as the status and the records say it. The operator decides. Pure.
 */
import type { PoolStatus } from '../../api/app-release-status.ts';
import type { KnownRevision, KnownRevisions } from './known-revisions.ts';
import type { LiveRelease } from './releases.ts';

export interface RollbackWish {
  readonly toVersion?: string | undefined;
  readonly toRevision?: number | undefined;
  /** Absent: all. */
  readonly pools?: readonly string[] | undefined;
  readonly force: boolean;
}

export interface Served {
  readonly revision: number;
  readonly version: string;
}

export interface PoolChange {
  readonly pool: string;
  /** undefined: it serves nothing. */
  readonly from: Served | undefined;
  /** undefined: it stays. */
  readonly to: Served | undefined;
  /** How fast the rollback would be; undefined: unknown, since the status tells it of another target. */
  readonly readiness: string | undefined;
  /** Why it stays, or why it is not Warm. */
  readonly note: string | undefined;
}

export function previewRollback(release: LiveRelease, wish: RollbackWish, known: KnownRevisions): PoolChange[] {
  const names = release.spec.stages.flatMap((stage) => stage.pools.map(({ name }) => name));
  const unknown = (wish.pools ?? []).filter((name) => !names.includes(name));
  const named = names.filter((name) => wish.pools?.includes(name) ?? true);
  return [
    ...named.map((pool) => changeOf(release, wish, known, pool, named)),
    ...unknown.map((pool) => stays(pool, undefined, `the release has no pool ${pool}: it has ${names.join(', ')}`)),
  ];
}

function changeOf(
  { status, spec }: LiveRelease,
  wish: RollbackWish,
  known: KnownRevisions,
  pool: string,
  named: readonly string[],
): PoolChange {
  const own = status?.pools?.find(({ name }) => name === pool);
  const from = servedBy(own);
  if (!own || !from) return stays(pool, undefined, 'serves nothing yet');
  const left = (status?.pools ?? []).filter(
    ({ name, service }) => service !== undefined && service === own.service && !named.includes(name),
  );
  if (left.length > 0 && spec.service) {
    const others = left.map(({ name }) => name).join(', ');
    return stays(pool, from, `shares Service ${own.service ?? ''} with ${others}, and they roll back together`);
  }
  return wish.toVersion === undefined && wish.toRevision === undefined
    ? toLastGood(own, from, status?.revision, wish.force)
    : toNamed(own, from, wish, known, named);
}

function servedBy(own: PoolStatus | undefined): Served | undefined {
  return own?.revision === undefined ? undefined : { revision: own.revision, version: own.version ?? '-' };
}

function stays(pool: string, from: Served | undefined, note: string): PoolChange {
  return { pool, from, to: undefined, readiness: undefined, note };
}

/** The target of a rollback that names none. */
function toLastGood(own: PoolStatus, from: Served, wanted: number | undefined, force: boolean): PoolChange {
  const { name, rollback, traffic, wantedRevision } = own;
  if (from.revision !== wanted && !traffic?.exposure) {
    const isEntering = wantedRevision !== undefined && wantedRevision !== from.revision;
    return stays(
      name,
      from,
      isEntering ? `the change to revision ${wantedRevision} stops` : 'does not serve the wanted version',
    );
  }
  if (rollback?.revision === undefined) return stays(name, from, rollback?.message ?? 'no revision was good before');
  const to = { revision: rollback.revision, version: rollback.version ?? '-' };
  if (rollback.readiness === 'Impossible' && !force) return stays(name, from, rollback.message ?? 'impossible');
  const share = traffic?.exposure?.percent;
  const note = to.revision === from.revision && share !== undefined ? `gets back ${share} of its traffic` : undefined;
  return { pool: name, from, to, readiness: rollback.readiness, note: note ?? rollback.message };
}

/** The newest revision that the wish names, that was good in the pool, and that has no bad mark in the named pools. */
function toNamed(
  own: PoolStatus,
  from: Served,
  { toVersion, toRevision, force }: RollbackWish,
  { revisions, source }: KnownRevisions,
  pools: readonly string[],
): PoolChange {
  const { name } = own;
  const asked = toVersion === undefined ? `revision ${toRevision ?? ''}` : `version ${toVersion}`;
  const found = revisions.filter((one) =>
    toVersion === undefined ? one.number === toRevision : one.version === toVersion,
  );
  if (found.length === 0)
    return stays(
      name,
      from,
      source === 'Records' ? `${asked} was never recorded` : `${asked} is not in status.history`,
    );
  const numbers = found.map(({ number }) => number).join(', ');
  const which = toVersion === undefined ? asked : `${asked} (revision ${numbers})`;
  const good = found.filter((one) => one.isGoodIn(name));
  const isBad = (one: KnownRevision) => pools.find((pool) => one.isBadIn(pool));
  const target = good.findLast((one) => isBad(one) === undefined);
  if (!target) {
    const bad = (good.at(-1) ?? found.at(-1)) as KnownRevision;
    const where = isBad(bad);
    const isInDoubt = where !== undefined && (good.length > 0 || source === 'Status');
    return stays(
      name,
      from,
      isInDoubt
        ? `${which} failed or was rolled back${source === 'Records' ? ` in pool ${where}` : ''}`
        : `${which} was never good ${source === 'Records' ? 'there' : 'in a pool'}`,
    );
  }
  if (target.number === from.revision) return stays(name, from, `serves revision ${target.number} already`);
  if (target.number > from.revision)
    return stays(name, from, `revision ${target.number} is newer: a rollback moves no pool forward`);
  const barrier = revisions.find(
    (one) => one.number > target.number && one.number <= from.revision && one.isBarrierIn(name),
  );
  if (barrier && !force) return stays(name, from, `version ${barrier.version} is a barrier: needs --force`);
  const isMeasured = own.rollback?.revision === target.number;
  return {
    pool: name,
    from,
    to: { revision: target.number, version: target.version },
    readiness: isMeasured ? own.rollback?.readiness : undefined,
    note: isMeasured ? own.rollback?.message : undefined,
  };
}
