/** Rules for a rolled-back version: no edit admits it, only a person's approval. */
import type { ReleasePromotionSpec, ReleasePromotionStatus } from '../../src/api/release-promotion.ts';
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import type { Facts, RevisionData } from '../../src/release/record/recorded-data.ts';
import { revisionInput, sameInput } from '../../src/release/record/revision.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator, keyOf } from './invariants.ts';
import { factsOf, poolsOf, revisionsOf, rollbackStatus, runsPodsOf, servedDeployment, specOf } from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

type Record = ReturnType<typeof revisionsOf>[number];

function digestsOf({ images }: RevisionData): string {
  return canonicalJson([...new Set(Object.values(images).map(({ digest }) => digest))].sort());
}

function areKin(one: RevisionData, other: RevisionData): boolean {
  return one.input.version === other.input.version || digestsOf(one) === digestsOf(other);
}

function isGood(facts: Facts | undefined, pool: string): boolean {
  const { good, failed, rolledBack } = facts?.pools[pool] ?? {};
  return good !== undefined && failed === undefined && rolledBack === undefined;
}

function isMarked(facts: Facts | undefined): boolean {
  return Object.values(facts?.pools ?? {}).some((own) => own.failed !== undefined || own.rolledBack !== undefined);
}

export function createKinshipRules({ world, knows, alone }: Judge): WriteRule[] {
  /** The records of a release in the cache of a write's author. */
  function known(actor: string, release: WorldObject): Record[] {
    const seen = knows(actor)?.revisions.get(keyOf(release.metadata.name)) ?? [];
    return revisionsOf(world, release.metadata.name).filter(({ metadata }) =>
      seen.some((object) => object.metadata.uid === metadata.uid && isMarked(factsOf(object))),
    );
  }

  function wasApproved({ metadata: { uid } }: WorldObject, revision: number, stage: string): boolean {
    return world.list('ReleasePromotion').some((promotion) => {
      const status = promotion.status as ReleasePromotionStatus | undefined;
      const isAccepted = status?.conditions?.some(({ type, status: is }) => type === 'Accepted' && is === 'True');
      const { stage: into } = promotion.spec as ReleasePromotionSpec;
      return isAccepted && status?.releaseUID === uid && status.revision === revision && into === stage;
    });
  }

  const entriesAreApproved: WriteRule = ({ actor, kind, before, after }) => {
    if (kind !== 'ControllerRevision' || !isOperator(actor) || !after || after === before) return undefined;
    const release = world.get('AppRelease', labelOf(after, 'release') ?? '');
    const [was, is] = [factsOf(before), factsOf(after)];
    if (!release || !is) return undefined;
    const heir = after as unknown as Record;
    const spec = specOf(knows(actor)?.release.get(keyOf(release.metadata.name))) ?? specOf(release);
    for (const { name, stage } of poolsOf(release.metadata.name, spec)) {
      const { entered } = is.pools[name] ?? {};
      if (!entered || entered.at === was?.pools[name]?.entered?.at || isGood(was, name)) continue;
      const records = revisionsOf(world, release.metadata.name);
      const runs = records.find(({ revision }) => revision === heir.revision);
      const isMate = poolsOf(release.metadata.name, spec).some(
        (mate) => mate.stage === stage && mate.name !== name && was?.pools[mate.name]?.entered !== undefined,
      );
      const source = known(actor, release).find(
        (record) =>
          record.revision < heir.revision &&
          areKin(record.data, heir.data) &&
          !isGood(factsOf(record), name) &&
          !records.some(
            (between) =>
              between.revision > record.revision &&
              between.revision < heir.revision &&
              areKin(between.data, heir.data) &&
              isGood(factsOf(between), name),
          ),
      );
      // A new pool gets the revision of its stage.
      if (!source || !runs || isMate || wasApproved(release, heir.revision, stage)) continue;
      return `lets revision ${heir.revision} into pool ${name}, though it inherits the marks of revision ${source.revision} and nobody approved it`;
    }
    return undefined;
  };

  const holdsOutliveEdits: WriteRule = ({ actor, kind, before, after }) => {
    if (!alone || kind !== 'ReleaseRollback' || !isOperator(actor) || !after) return undefined;
    const [was, is] = [rollbackStatus(before), rollbackStatus(after)];
    if (was?.acceptedAt === undefined || was.endedAt !== undefined || is?.endedAt === undefined) return undefined;
    const release = world.get('AppRelease', (after.spec as { release: string }).release);
    const spec = specOf(knows(actor)?.release.get(keyOf(release?.metadata.name ?? '')));
    if (!release || spec?.version === undefined) return undefined;
    const { name } = release.metadata;
    const pools = poolsOf(name, spec);
    const input = revisionInput(spec, spec.version);
    const records = revisionsOf(world, name);
    const names = new Set(pools.map((pool) => pool.name));
    const wanted = records.findLast(({ data }) => sameInput(data.input, input, names));
    const held = records.find(({ revision }) => revision === was.heldAgainst);
    if (!wanted || !held || !areKin(wanted.data, held.data)) return undefined;
    const isHome = (pool: (typeof pools)[number]) => {
      const served = servedDeployment(world, name, pool);
      return (
        isGood(factsOf(wanted), pool.name) || (served && runsPodsOf(world, name, served, wanted.revision)) === true
      );
    };
    if (wanted !== held && pools.some(isHome)) return undefined;
    const isRetried = world.list('ReleasePromotion').some((promotion) => {
      const { version, revision } = promotion.spec as ReleasePromotionSpec;
      return version === wanted.data.input.version || revision === wanted.revision;
    });
    if (isRetried) return undefined;
    return `ends the hold of ${after.metadata.name} against revision ${held.revision}, though revision ${wanted.revision} is kin of it`;
  };

  return [entriesAreApproved, holdsOutliveEdits];
}
