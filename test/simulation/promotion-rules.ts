/** Checks the order of promotion against the world's history: health times and approvals. */
import type { AppReleaseSpec, Stage } from '../../src/api/app-release.ts';
import { parseDuration } from '../../src/api/common.ts';
import type { ReleasePromotionSpec, ReleasePromotionStatus } from '../../src/api/release-promotion.ts';
import { PRECISION_MS } from '../../src/lib/clocks.ts';
import type { Facts, PoolFacts } from '../../src/release/record/recorded-data.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator, keyOf, pausedFor } from './invariants.ts';
import { poolOf } from './pods.ts';
import {
  deploymentsOf,
  factsOf,
  holdOf,
  podContent,
  podsNumber,
  poolsOf,
  portsIn,
  recordOf,
  servesWholly,
  revisionOf,
  shownPorts,
  servedDeployment,
  specOf,
} from './truth.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

interface Health {
  /** When the pool first served the revision with all pods. */
  first: number;
  /** Healthy since then without interruption; undefined while unhealthy. */
  since: number | undefined;
}

interface Approval {
  at: number;
  skipSoak: boolean;
}

interface Entry {
  actor: string;
  release: WorldObject;
  spec: AppReleaseSpec;
  revision: number;
  /** Before and after the entry. */
  facts: Facts;
  now: Facts;
  pool: string;
  stage: Stage;
}

const WATCHED = new Set(['Pod', 'Deployment', 'Service', 'AppRelease']);

function isOwned({ metadata }: WorldObject, release: WorldObject): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === release.metadata.uid) ?? true;
}

export function createPromotionRules(judge: Judge): WriteRule[] {
  const { world, knows, calm, alone } = judge;
  const health = new Map<string, Health>();
  const approvals = new Map<string, Approval[]>();
  /** Pools that have ever run a revision: `release pool`. */
  const used = new Set<string>();

  function healthKey(release: WorldObject, pool: string, revision: number): string {
    return `${release.metadata.uid} ${pool} ${revision}`;
  }

  const followHealth: WriteRule = ({ kind, object }) => {
    const name = kind === 'AppRelease' ? object.metadata.name : labelOf(object, 'release');
    const release = world.get('AppRelease', name ?? '');
    if (!WATCHED.has(kind) || !release) return undefined;
    for (const pool of poolsOf(release.metadata.name, specOf(release))) {
      if (kind === 'Pod' && poolOf(object) !== pool.name) continue;
      const served = revisionOf(servedDeployment(world, release.metadata.name, pool));
      const healthy = served !== undefined && servesWholly(world, release.metadata.name, pool, served);
      const prefix = `${release.metadata.uid} ${pool.name} `;
      for (const [key, entry] of health) {
        if (key.startsWith(prefix) && !(healthy && key === prefix + String(served))) entry.since = undefined;
      }
      if (!healthy) continue;
      const key = healthKey(release, pool.name, served);
      const known = health.get(key);
      health.set(key, { first: known?.first ?? world.now(), since: known?.since ?? world.now() });
    }
    return undefined;
  };

  const followApprovals: WriteRule = ({ kind, after }) => {
    if (kind !== 'ReleasePromotion' || !after) return undefined;
    const { stage, skipSoak } = after.spec as ReleasePromotionSpec;
    const status = after.status as ReleasePromotionStatus | undefined;
    const accepted = status?.conditions?.some(({ type, status: is }) => type === 'Accepted' && is === 'True');
    if (!accepted || status?.revision === undefined) return undefined;
    const key = `${status.releaseUID ?? ''} ${stage} ${status.revision}`;
    const list = approvals.get(key) ?? [];
    const at = Date.parse(after.metadata.creationTimestamp);
    if (!list.some((known) => known.at === at)) approvals.set(key, [...list, { at, skipSoak }]);
    return undefined;
  };

  const entriesAreDue: WriteRule = ({ actor, kind, before, after }) => {
    if (kind !== 'ControllerRevision' || !isOperator(actor) || !after || after === before) return undefined;
    const release = world.get('AppRelease', labelOf(after, 'release') ?? '');
    const now = factsOf(after);
    // Objects of an earlier release of this name are deleted with it.
    if (!release || !now || !isOwned(after, release)) return undefined;
    const was: Facts = factsOf(before) ?? { pools: {}, approvals: {} };
    const seen = knows(actor)?.release.get(keyOf(release.metadata.name));
    const spec = specOf(seen) ?? specOf(release);
    if (!spec) return undefined;
    for (const [pool, own] of Object.entries(now.pools)) {
      const stage = spec.stages.find(({ pools }) => pools.some(({ name }) => name === pool));
      if (!stage || !entered(was.pools[pool], own)) continue;
      // The record of what serves was deleted, and is rebuilt.
      if (!before && serves(release, spec, pool, Number(after.revision))) continue;
      const entry = { actor, release, spec, revision: Number(after.revision), facts: was, now, pool, stage };
      const why = held(entry) ?? otherPods(entry) ?? paused(entry) ?? unproven(entry) ?? unapproved(entry);
      used.add(`${release.metadata.uid} ${pool}`);
      if (why !== undefined) return `lets revision ${entry.revision} into pool ${pool}: ${why}`;
    }
    return undefined;
  };

  function serves(release: WorldObject, spec: AppReleaseSpec, pool: string, revision: number): boolean {
    const { name } = release.metadata;
    const own = poolsOf(name, spec).find((one) => one.name === pool);
    return own !== undefined && revisionOf(servedDeployment(world, name, own)) === revision;
  }

  function entered(was: PoolFacts | undefined, is: PoolFacts): boolean {
    return is.entered !== undefined && is.entered.at !== was?.entered?.at;
  }

  function held({ actor, release, pool }: Entry): string | undefined {
    const hold = holdOf(world.list('ReleaseRollback'), release, pool);
    const known = knows(actor)?.rollbacks.get(keyOf(release.metadata.name)) ?? [];
    const seen = known.find(({ metadata }) => metadata.uid === hold?.rollback.metadata.uid);
    if (!hold || seen?.status?.acceptedAt === undefined) return undefined;
    return `rollback ${hold.rollback.metadata.name} holds it`;
  }

  function paused(entry: Entry): string | undefined {
    if (!pausedFor(judge, entry.actor, entry.release) || isExempt(entry)) return undefined;
    return 'the release is paused';
  }

  /** A pool that keeps the pods of another revision has equal ones. */
  function otherPods({ release, revision, now, pool }: Entry): string | undefined {
    const kept = podsNumber(now, revision, pool);
    const { name } = release.metadata;
    const [own, others] = [revision, kept].map((number) => podContent(world, name, number, pool));
    // The new revision is recorded by this write.
    return own === others || own === undefined || others === undefined
      ? undefined
      : `it keeps the pods of revision ${kept}`;
  }

  /** Whether nothing changes in the pool: its pods stay, and its Service has the ports of the revision. */
  function staysAsItIs({ release, revision, now, pool, spec }: Entry): boolean {
    if (now.pools[pool]?.podsOf === undefined) return false;
    const service = poolsOf(release.metadata.name, spec).find(({ name }) => name === pool)?.service;
    const ports = recordOf(world, release.metadata.name, revision)?.data.input.ports ?? spec.service?.ports ?? [];
    const live = service === undefined ? undefined : world.get('Service', service);
    return !live || shownPorts(portsIn(live)) === shownPorts(ports);
  }

  /** Reverts go at once; a new pool gets the revision of its stage. */
  function isExempt(entry: Entry): boolean {
    const { release, revision, facts, pool, stage, spec } = entry;
    if (staysAsItIs(entry)) return true;
    const all = poolsOf(release.metadata.name, spec);
    const own = all.find(({ name }) => name === pool);
    const served = own && revisionOf(servedDeployment(world, release.metadata.name, own));
    if (served !== undefined && revision < served && facts.pools[pool]?.good !== undefined && !isBad(facts))
      return true;
    if (used.has(`${release.metadata.uid} ${pool}`)) return false;
    // The pool has another name than before: it gets the revision that runs.
    const names = new Set(all.map(({ name }) => name));
    const left = world.list('Deployment').filter((one) => isOwned(one, release) && !names.has(poolOf(one)));
    if (left.some((one) => revisionOf(one) === revision)) return true;
    return all.some((mate) => {
      const runs = revisionOf(servedDeployment(world, release.metadata.name, mate));
      return (
        mate.stage === stage.name &&
        mate.name !== pool &&
        (runs === revision || facts.pools[mate.name]?.entered !== undefined)
      );
    });
  }

  function approvalsOf({ release, revision, stage }: Entry): Approval[] {
    return approvals.get(`${release.metadata.uid} ${stage.name} ${revision}`) ?? [];
  }

  function unproven(entry: Entry): string | undefined {
    const { release, spec, revision, stage, now } = entry;
    const previous = spec.stages[spec.stages.indexOf(stage) - 1];
    if (!previous || isExempt(entry)) return undefined;
    const soak = approvalsOf(entry).some(({ skipSoak }) => skipSoak) ? 0 : (parseDuration(previous.soak) ?? 0);
    for (const { name, replicas, autoscaling } of previous.pools) {
      if (replicas === 0 && !autoscaling) continue;
      const known = health.get(healthKey(release, name, podsNumber(now, revision, name)));
      if (!known) return `pool ${name} of the stage before never served it with all its pods`;
      // Growth restarts no soak.
      const since = calm && !autoscaling ? (known.since ?? world.now()) : known.first;
      if (since + soak > world.now())
        return `pool ${name} has not soaked: ${(world.now() - since) / 1000} s of ${previous.soak}`;
    }
    return undefined;
  }

  function isBad(facts: Facts): boolean {
    return Object.values(facts.pools).some(
      ({ failed, rolledBack }) => failed !== undefined || rolledBack !== undefined,
    );
  }

  function unapproved(entry: Entry): string | undefined {
    const { facts, stage } = entry;
    if ((stage.approval === 'Automatic' && !isBad(facts)) || isExempt(entry)) return undefined;
    const marks = stage.pools.flatMap(({ name }) => {
      const { failed, rolledBack } = facts.pools[name] ?? {};
      return [failed?.at, rolledBack?.at].flatMap((at) => (at === undefined ? [] : [Date.parse(at) - PRECISION_MS]));
    });
    if (approvalsOf(entry).some(({ at }) => at >= Math.max(0, ...marks))) return undefined;
    return `nobody approved it for stage ${stage.name}`;
  }

  /** A Deployment is created only for a revision that was admitted, is held, serves, or was good there. */
  const workloadsWereLetIn: WriteRule = ({ actor, kind, before, after }) => {
    // A former leader may still create an admitted Deployment; it gets no traffic.
    if (!alone || kind !== 'Deployment' || !isOperator(actor) || before || !after) return undefined;
    const release = world.get('AppRelease', labelOf(after, 'release') ?? '');
    const number = revisionOf(after);
    const pool = poolOf(after);
    const record = world.get('ControllerRevision', `${release?.metadata.name ?? ''}-${number ?? ''}`);
    if (!release || number === undefined || !record || !isOwned(after, release)) return undefined;
    const facts = factsOf(record)?.pools[pool];
    const target = holdOf(world.list('ReleaseRollback'), release, pool)?.pool.to;
    const ran = deploymentsOf(world, release.metadata.name, pool).some(
      (other) => other !== after && revisionOf(other) === number,
    );
    if (facts?.entered ?? facts?.good ?? (target === number || ran)) return undefined;
    return `makes ${after.metadata.name}, though revision ${number} was never let into pool ${pool}`;
  };

  return [followHealth, followApprovals, entriesAreDue, workloadsWereLetIn];
}
