/**
 * Moves an exposure on: first some of the traffic of a stage's pools goes to the new revision, step by step, then all of it; then
 * the pools' Services are switched, without traffic, and get it back. Pure.
 */
import { parseDuration } from '../../api/common.ts';
import type { Reason } from '../../api/reasons.ts';
import { firstOf } from '../../lib/first-of.ts';
import type { FactsDraft } from '../record/facts-draft.ts';
import { forgetExposure } from '../record/facts-draft.ts';
import type { Exposure, ExposurePhase } from '../record/recorded-data.ts';
import { whyUnready } from '../health/failure.ts';
import { acceptanceOf } from '../route/parents.ts';
import { liveRoute } from '../route/reconcile-route.ts';
import { liveWeight } from '../route/weights.ts';
import type { Exposing } from '../state/exposure.ts';
import { hasExposure } from '../record/next-services.ts';
import { exposedPercent, exposingIn, takesOver } from '../state/exposure.ts';
import { wantedReplicas } from '../state/pool-size.ts';
import { hasFailed, staysAvailable, readyOf, wantedRevision } from '../state/target.ts';
import type { PoolView, Rollout } from '../state/view.ts';
import { switchedAt } from '../traffic/reach.ts';
import { stepApproval, stepKey } from './approvals.ts';

/** An exposure that is under way. */
interface Case extends Exposing {
  view: Rollout;
  record: Exposure;
}

/** What keeps a phase from running out. `restarts`: its time starts anew afterwards. */
interface Obstacle {
  message: string;
  restarts: boolean;
}

type ObstacleRule = (exposure: Case) => Obstacle | undefined;

const OBSTACLES: Readonly<Record<ExposurePhase, readonly ObstacleRule[]>> = {
  Settling: [podsUnready, nextLeadsElsewhere, routeNotAccepted],
  Stepping: [podsUnready, nextLeadsElsewhere, shareNotWritten, routeNotAccepted],
  Full: [podsUnready, nextLeadsElsewhere, shareNotWritten, routeNotAccepted],
  Switching: [notSwitched, oldEndpoints],
  Returning: [shareNotWritten, routeNotAccepted],
  Over: [],
};

/** How long an autoscaler waits by default until it removes pods (ms). */
const STABILIZATION_MS = 300_000;

/** Records how far the exposures of the stages have come. */
export function markExposures(view: Rollout, drafts: FactsDraft): void {
  for (const stage of view.topology.stages) {
    const exposing = exposingIn(view, stage);
    if (!exposing) continue;
    const { record, revision } = exposing;
    const next = record ? nextRecord({ ...exposing, view, record }) : firstRecord(view, exposing);
    if (next === record) continue;
    const facts = drafts.change(revision);
    if (next) facts.exposures = { ...facts.exposures, [stage.name]: next };
    else forgetExposure(facts, stage);
    const approval = passedStep(exposing, next) ? stepApproval(view, stage, revision, record?.step ?? 0) : undefined;
    if (approval && record) facts.approvals[stepKey(stage, record.step)] = approval;
    tell(drafts, exposing, next);
  }
}

/** The record of an exposure that begins: the new revision replaces another one, and its pods can be reached. */
function firstRecord(view: Rollout, exposing: Exposing): Exposure | undefined {
  if (!exposing.pools.some(takesOver)) return undefined;
  const sizes = Object.fromEntries(
    exposing.pools.flatMap(({ name, spec, replicas }) => (spec.autoscaling ? [[name, replicas] as const] : [])),
  );
  const record: Exposure = { phase: 'Settling', step: 0, ...(Object.keys(sizes).length > 0 && { sizes }) };
  const begun: Case = { ...exposing, view, record };
  return podsUnready(begun) || nextLeadsElsewhere(begun) ? undefined : record;
}

function nextRecord(exposure: Case): Exposure | undefined {
  const { record, view } = exposure;
  const { since, ...others } = record;
  // Without pods the second Service leads back to the revision before.
  if (isLost(exposure)) return { ...others, phase: 'Settling' };
  const obstacle = obstacleOf(exposure);
  if (obstacle) return obstacle.restarts && since !== undefined ? others : record;
  if (since === undefined) return { ...others, since: new Date(view.now).toISOString() };
  if (endOf(exposure) > view.now || !mayGoOn(exposure)) return record;
  return afterwards(exposure);
}

function obstacleOf(exposure: Case): Obstacle | undefined {
  return firstOf(OBSTACLES[exposure.record.phase], exposure);
}

function isLost(exposure: Case): boolean {
  const { phase } = exposure.record;
  const mayLose = phase === 'Stepping' || phase === 'Full' || phase === 'Switching';
  const isOpen = exposure.pools.some(takesOver);
  return mayLose && isOpen && nextLeadsElsewhere(exposure) !== undefined;
}

/** When the phase ends if nothing gets in its way (ms since the epoch). */
function endOf({ view, stage, pools, record: { phase, step, since = '' } }: Case): number {
  if (phase === 'Over') return Math.max(...pools.map((pool) => floorEnds(pool)));
  const lasts = phase === 'Stepping' ? (stage.exposure?.[step]?.for ?? '0s') : (view.topology.route?.settle ?? '0s');
  return Date.parse(since) + (parseDuration(lasts) ?? 0);
}

/** When the autoscaler of a pool has measured the new revision for long enough (ms since the epoch). */
function floorEnds({ spec, group }: PoolView): number {
  const down = spec.autoscaling?.behavior?.['scaleDown'];
  const seconds: unknown = typeof down === 'object' && down && Reflect.get(down, 'stabilizationWindowSeconds');
  return (switchedAt(group) || 0) + (typeof seconds === 'number' ? seconds * 1000 : STABILIZATION_MS);
}

/** Whether nothing stops the exposure. Its end, after the switch, goes on in any case. */
function mayGoOn(exposure: Case): boolean {
  const { view, revision, pools, record } = exposure;
  const { phase } = record;
  if (phase === 'Switching' || phase === 'Returning' || phase === 'Over') return true;
  if (view.paused !== undefined || wantedRevision(view) !== revision) return false;
  if (pools.some(({ name }) => hasFailed(revision, name))) return false;
  return !lacksApproval(exposure);
}

function lacksApproval({ view, stage, revision, record: { phase, step } }: Case): boolean {
  const isByHand = phase === 'Stepping' && stage.exposure?.[step]?.approval === 'Manual';
  return isByHand && stepApproval(view, stage, revision, step) === undefined;
}

function afterwards({
  view,
  stage,
  pools,
  record: { since: _since, phase, step, ...sizes },
}: Case): Exposure | undefined {
  const steps = stage.exposure?.length ?? 0;
  switch (phase) {
    case 'Settling':
      return { ...sizes, phase: 'Stepping', step };
    case 'Stepping':
      return step + 1 < steps ? { ...sizes, phase, step: step + 1 } : { ...sizes, phase: 'Full', step };
    case 'Full':
      return { ...sizes, phase: 'Switching', step };
    case 'Switching':
      return { ...sizes, phase: 'Returning', step };
    case 'Returning':
      return sizes.sizes && pools.some((pool) => floorEnds(pool) > view.now)
        ? { ...sizes, phase: 'Over', step }
        : undefined;
    case 'Over':
      return undefined;
  }
}

/** Whether the exposure went on from a step. */
function passedStep({ record }: Exposing, next: Exposure | undefined): boolean {
  return record?.phase === 'Stepping' && next !== undefined && (next.phase === 'Full' || next.step > record.step);
}

function podsUnready({ view, pools, revision }: Case): Obstacle | undefined {
  for (const pool of pools) {
    const { workload } = pool.target ?? {};
    const replicas = wantedReplicas(pool, workload);
    if (workload && staysAvailable(workload, revision, replicas)) continue;
    const ready = workload ? readyOf(workload, revision) : 0;
    const why = workload && whyUnready(workload, revision, view);
    const message = `${ready} of ${replicas} pods of pool ${pool.name} are ready${why === undefined ? '' : `: ${why}`}`;
    return { message, restarts: true };
  }
  return undefined;
}

/** The endpoints of the second Service must name pods of the revision, in a pool that wants some. */
function nextLeadsElsewhere({ view, pools }: Case): Obstacle | undefined {
  for (const pool of pools) {
    const { group, target } = pool;
    const { next } = group;
    if (next?.taken !== undefined) return { message: next.taken, restarts: true };
    const pods = new Set(target?.workload?.pods.filter(({ ready }) => ready).map(({ metadata }) => metadata.name));
    const isReached =
      wantedReplicas(pool, target?.workload) === 0 ||
      view.observed.slices.some(
        ({ service, endpoints }) =>
          service === next?.serviceName && endpoints.some(({ pod }) => pod !== undefined && pods.has(pod)),
      );
    if (next?.track === undefined || next.track !== target?.track || !isReached)
      return { message: `Service ${next?.serviceName ?? ''} does not lead to its pods yet`, restarts: true };
  }
  return undefined;
}

/** A weight that changes for another reason does not start the time anew. */
function shareNotWritten({ view, pools }: Case): Obstacle | undefined {
  const { route } = view.topology;
  const live = route && liveRoute(view, route);
  const groups = new Set(pools.map(({ group }) => group));
  const other = (view.routed?.shares ?? []).find(
    ({ group, service, weight }) => groups.has(group) && liveWeight(live, service) !== weight,
  );
  return (
    other && { message: `the route does not have the weight ${other.weight} for ${other.service} yet`, restarts: false }
  );
}

/** A Gateway that has not seen the last change still has the share of before, which it accepted. */
function routeNotAccepted({ view }: Case): Obstacle | undefined {
  const { route } = view.topology;
  const live = route && liveRoute(view, route);
  if (!live) return { message: 'there is no route', restarts: true };
  const said = acceptanceOf(live);
  if (said.state === 'Accepted') return undefined;
  return { message: `the route is not accepted: ${said.message}`, restarts: said.state === 'NotAccepted' };
}

function notSwitched(exposure: Case): Obstacle | undefined {
  const open = exposure.pools.find((pool) => takesOver(pool) || !pool.selected);
  return open && { message: `Service ${open.group.serviceName ?? ''} switches next`, restarts: true };
}

function oldEndpoints({ view, pools }: Case): Obstacle | undefined {
  const { services } = view.drained();
  const stale = pools.find(({ group }) => services.get(group.serviceName ?? '')?.track !== group.track);
  return (
    stale && { message: `endpoints of Service ${stale.group.serviceName ?? ''} still name other pods`, restarts: true }
  );
}

function tell(drafts: FactsDraft, { stage, revision, pools, record }: Exposing, next: Exposure | undefined): void {
  const what = `revision ${revision.number} (${revision.data.input.version})`;
  const where = `stage ${stage.name}`;
  const names = pools.map(({ name }) => name).join(', ');
  // The sizes of autoscaled pools may be kept for longer.
  const isAtEnd = next === undefined || next.phase === 'Over';
  if (isAtEnd && record?.phase !== 'Over')
    drafts.notice({
      type: 'Normal',
      reason: 'ExposureEnded',
      note: `${where}: the Services of ${names} have their traffic back, and lead to ${what}`,
    });
  if (isAtEnd) return;
  const isMoved = next.phase !== record?.phase || next.step !== record.step;
  if (isMoved && (next.phase === 'Stepping' || next.phase === 'Full')) {
    const percent = exposedPercent({ stage, record: next });
    const step =
      next.phase === 'Full' ? 'after the last step' : `step ${next.step + 1} of ${stage.exposure?.length ?? 0}`;
    drafts.notice({
      type: 'Normal',
      reason: 'ExposureStep',
      note: `${where}: ${percent}% of the traffic of ${names} goes to ${what}, ${step}`,
    });
  } else if (record?.since !== undefined && next.since === undefined && (!isMoved || next.phase === 'Settling')) {
    drafts.notice({
      type: 'Warning',
      reason: 'ExposureRestarted',
      note: `${where}: the time of ${record.phase === 'Stepping' ? `step ${record.step + 1}` : 'the exposure'} of ${what} starts again`,
    });
  }
}

/** What an exposure waits for, for people; undefined if none is under way. */
export interface ExposureWait {
  reason: Extract<Reason, 'Exposing' | 'WaitingForApproval' | 'Paused'>;
  message: string;
  /** When the phase may end (ms since the epoch). */
  until?: number;
}

export function exposureWait(view: Rollout, pool: PoolView): ExposureWait | undefined {
  const exposing = exposingIn(view, pool.stage);
  if (!exposing?.pools.includes(pool)) return undefined;
  const { record, stage, revision } = exposing;
  if (!record) {
    if (!takesOver(pool)) return undefined;
    const begun: Case = { ...exposing, view, record: { phase: 'Settling', step: 0 } };
    // Pods that start are told of as in any rollout.
    if (podsUnready({ ...begun, pools: [pool] })) return undefined;
    const why = podsUnready(begun) ?? nextLeadsElsewhere(begun);
    return { reason: 'Exposing', message: `the exposure begins: ${why?.message ?? 'its pods are ready'}` };
  }
  if (record.phase === 'Over') return undefined;
  const exposure: Case = { ...exposing, view, record };
  const obstacle = obstacleOf(exposure);
  const until = obstacle || record.since === undefined ? undefined : endOf(exposure);
  const time = until === undefined || until <= view.now ? '' : ` until ${new Date(until).toISOString()}`;
  const what = `${describe(exposure)}${time}`;
  if (obstacle) return { reason: 'Exposing', message: `${what}; ${obstacle.message}` };
  const rest = until !== undefined && until > view.now ? { until } : {};
  if (view.paused !== undefined) return { reason: 'Paused', message: `${what}; paused: ${view.paused}`, ...rest };
  if (!lacksApproval(exposure)) return { reason: 'Exposing', message: what, ...rest };
  const approval = `a ReleasePromotion with stage ${stage.name} and step ${record.step + 1} must let version ${revision.data.input.version} (revision ${revision.number}) go on`;
  return {
    reason: until !== undefined && until <= view.now ? 'WaitingForApproval' : 'Exposing',
    message: `${what}; ${approval}`,
    ...rest,
  };
}

function describe({ stage, revision, record }: Case): string {
  const version = `version ${revision.data.input.version}`;
  const percent = exposedPercent({ stage, record });
  switch (record.phase) {
    case 'Settling':
      return `${version} gets its first traffic once gateways have had time to find its pods (settle)`;
    case 'Stepping':
      return `${percent}% of the traffic goes to ${version} (step ${record.step + 1} of ${stage.exposure?.length ?? 0})`;
    case 'Full':
      return `all traffic goes to ${version} by the second Services, and gateways have time to follow (settle)`;
    case 'Switching':
      return `all traffic goes to ${version} by the second Services, and the first ones are switched (settle)`;
    default:
      return `the traffic comes back to the first Services, and gateways have time to follow (settle)`;
  }
}

/** When an exposure goes on without another change (ms since the epoch). */
export function exposureDue(view: Rollout): number[] {
  return view.topology.stages.flatMap((stage) => {
    const exposing = exposingIn(view, stage);
    if (exposing?.record?.since === undefined) return [];
    return [endOf({ ...exposing, view, record: exposing.record })];
  });
}

/** The status of an exposure in a pool. */
export interface ExposureFigures {
  revision: number;
  /** The part of the pool's traffic, in percent. */
  percent: number;
  /** From 1; undefined before and after the steps. */
  step?: number;
  steps: number;
}

export function exposureFigures(view: Rollout, pool: PoolView): ExposureFigures | undefined {
  const exposing = exposingIn(view, pool.stage);
  const { record } = exposing ?? {};
  if (!exposing?.pools.includes(pool) || !record || record.phase === 'Over') return undefined;
  return {
    revision: exposing.revision.number,
    percent: exposedPercent(exposing),
    ...(record.phase === 'Stepping' && { step: record.step + 1 }),
    steps: exposing.stage.exposure?.length ?? 0,
  };
}

/** Whether the pods of a revision that is about to be exposed, or is, are ready: its deadline is over. */
export function isExposedWell(view: Rollout, pool: PoolView): boolean {
  const exposing = exposingIn(view, pool.stage);
  const { workload, revision } = pool.target ?? {};
  return (
    exposing?.pools.includes(pool) === true &&
    workload !== undefined &&
    revision !== undefined &&
    takesOver(pool) &&
    staysAvailable(workload, revision, wantedReplicas(pool, workload))
  );
}

/** Whether the exposure of a revision has passed a step, from 1, or needs none any more. */
export function hasPassed(view: Rollout, exposing: Exposing | undefined, step: number): boolean {
  if (!exposing || !hasExposure(view.topology, exposing.stage)) return false;
  const { record, pools } = exposing;
  if (!record) return pools.every((pool) => !takesOver(pool));
  return record.phase === 'Stepping' || record.phase === 'Settling' ? record.step >= step : true;
}
