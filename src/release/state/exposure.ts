/** The exposure of a new revision in a stage: what the records say. Pure. */
import type { Stage } from '../../api/app-release.ts';
import { own } from '../../lib/own.ts';
import { hasExposure } from '../record/next-services.ts';
import type { Exposure } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import type { PoolView, Rollout } from './view.ts';

/** A revision that entered a stage with exposure, and the pools that roll to it or serve it. */
export interface Exposing {
  stage: Stage;
  revision: Revision;
  pools: readonly PoolView[];
  /** Absent: it has not begun, or is not needed. */
  record?: Exposure;
}

/** Undefined while no revision may be exposed in the stage. */
export function exposingIn(view: Rollout, stage: Stage): Exposing | undefined {
  if (!hasExposure(view.topology, stage)) return undefined;
  const own = view.pools.filter((pool) => pool.stage.name === stage.name && promoted(pool) !== undefined);
  const revisions = own.flatMap((pool) => promoted(pool) ?? []);
  const entering = own.find(takesOver);
  const revision = (entering && promoted(entering)) ?? revisions.find((one) => recordOf(one, stage)) ?? revisions[0];
  if (!revision) return undefined;
  const found = recordOf(revision, stage);
  // The spec may have fewer steps by now.
  const record = found && { ...found, step: Math.min(found.step, (stage.exposure?.length ?? 1) - 1) };
  return { stage, revision, pools: own.filter((pool) => promoted(pool) === revision), ...(record && { record }) };
}

/** The revision that the pool rolls to, or that it has served since; undefined in a return. */
function promoted({ hold, target, entered }: PoolView): Revision | undefined {
  const isPromoted = !hold && target?.mode === 'Promote' && target.strategy === 'BlueGreen';
  return isPromoted && target.revision === entered ? entered : undefined;
}

function recordOf({ facts }: Revision, { name }: Pick<Stage, 'name'>): Exposure | undefined {
  return facts.exposures && own(facts.exposures, name);
}

/** Whether the revision that the pool rolls to takes the place of another one, which serves. */
export function takesOver(pool: PoolView): boolean {
  const revision = promoted(pool);
  return revision !== undefined && pool.served !== undefined && pool.served !== revision;
}

/** The part of a pool's traffic that its second Service gets, in percent. */
export function exposedPercent({ stage, record }: Pick<Exposing, 'stage' | 'record'>): number {
  switch (record?.phase) {
    case 'Stepping':
      return stage.exposure?.[record.step]?.percent ?? 100;
    case 'Full':
    case 'Switching':
      return 100;
    default:
      return 0;
  }
}

/** Whether the Service of the pool may be switched to its target: the exposure has come to its end, or there is none. */
export function maySwitchAfterExposure(view: Rollout, pool: PoolView): boolean {
  if (!hasExposure(view.topology, pool.stage) || !takesOver(pool)) return true;
  const exposing = exposingIn(view, pool.stage);
  const phase = exposing?.pools.includes(pool) ? exposing.record?.phase : undefined;
  return phase === 'Switching' || phase === 'Returning' || phase === 'Over';
}

/** Whether gateways may still lead requests to pods that the pool's Service no longer selects. */
export function keepsOldPods(view: Rollout, pool: PoolView): boolean {
  const exposing = exposingIn(view, pool.stage);
  const { phase } = exposing?.record ?? {};
  return exposing?.pools.includes(pool) === true && (phase === 'Switching' || phase === 'Returning');
}

/** The size of an autoscaled pool when an exposure of the revision began there. */
export function sizeInExposure(revision: Revision, stage: Pick<Stage, 'name'>, pool: string): number | undefined {
  const { sizes } = recordOf(revision, stage) ?? {};
  return sizes && own(sizes, pool);
}
