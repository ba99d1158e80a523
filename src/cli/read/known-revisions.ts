/** The revisions of a release: from their records, or from its status where the user may not read the records. */
import type { AppReleaseStatus } from '../../api/app-release-status.ts';
import { REVISIONS, toCachedRevision } from '../../controller/kinds/revisions.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { Revision } from '../../release/record/revision.ts';
import { hasBarrier, isBadIn, isGood, parseRevision, poolFacts } from '../../release/record/revision.ts';
import { readOwned } from './releases.ts';

export interface KnownRevision {
  readonly number: number;
  readonly version: string;
  readonly isGoodIn: (pool: string) => boolean;
  /** It failed or was rolled back there. */
  readonly isBadIn: (pool: string) => boolean;
  /** A rollback from it, or from a later revision, to an older one in the pool needs force. */
  readonly isBarrierIn: (pool: string) => boolean;
  /** The current attempt failed there, for this cause. */
  readonly failureIn: (pool: string) => string | undefined;
}

/** From the oldest to the newest. */
export interface KnownRevisions {
  readonly source: 'Records' | 'Status';
  readonly revisions: readonly KnownRevision[];
}

export async function readRecords(client: KubeClient, namespace: string, name: string): Promise<Revision[]> {
  const objects = await readOwned(client, REVISIONS, namespace, name);
  return objects
    .flatMap((object) => parseRevision(toCachedRevision(object)) ?? [])
    .sort((one, other) => one.number - other.number);
}

export function knownRevisions(
  records: readonly Revision[] | undefined,
  status: AppReleaseStatus | undefined,
): KnownRevisions {
  return records
    ? { source: 'Records', revisions: records.map(fromRecord) }
    : { source: 'Status', revisions: (status?.history ?? []).toReversed().map(fromHistory) };
}

function fromRecord(revision: Revision): KnownRevision {
  return {
    number: revision.number,
    version: revision.data.input.version,
    isGoodIn: (pool) => isGood(revision, pool),
    isBadIn: (pool) => isBadIn(revision, pool),
    isBarrierIn: (pool) => hasBarrier(revision) && poolFacts(revision, pool).entered !== undefined,
    failureIn: (pool) => {
      const { entered, failed } = poolFacts(revision, pool);
      return entered !== undefined && failed?.attempt === entered.attempt ? failed.message : undefined;
    },
  };
}

/** The history has one outcome for all pools, and no barriers. */
function fromHistory({ revision, version, outcome }: NonNullable<AppReleaseStatus['history']>[number]): KnownRevision {
  return {
    number: revision,
    version,
    isGoodIn: () => outcome === 'Good',
    isBadIn: () => outcome === 'Failed' || outcome === 'RolledBack',
    isBarrierIn: () => false,
    failureIn: () => undefined,
  };
}
