/** How the traffic leaves Services whose pools are in maintenance, and comes back: in steps over a minute. Pure. */
import type { Route } from '../record/kube-objects.ts';
import type { Evacuation, Evacuations } from '../record/route-notes.ts';
import { readEvacuations } from '../record/route-notes.ts';
import type { ClosedPool } from '../state/maintenance.ts';
import { closedPools } from '../state/maintenance.ts';
import type { Group, Rollout } from '../state/view.ts';
import { reachedPods } from '../traffic/reach.ts';

const STEPS = 6;
const STEP_MS = 10_000;

/** The step of an evacuation or of the return: 1 at once, and the last one from then on. */
function stepOf({ since }: Evacuation, now: number): number {
  return Math.min(STEPS, Math.floor(Math.max(0, now - Date.parse(since)) / STEP_MS) + 1);
}

/** The part of its weight that a Service keeps, from 0 to 1. */
export function keptPart(evacuation: Evacuation | undefined, now: number): number {
  if (!evacuation) return 1;
  const done = stepOf(evacuation, now) / STEPS;
  return evacuation.to === 'Away' ? 1 - done : done;
}

/** When all traffic is away (ms since the epoch); undefined if it does not leave. */
export function awayAt({ since, to }: Evacuation): number | undefined {
  return to === 'Away' ? Date.parse(since) + (STEPS - 1) * STEP_MS : undefined;
}

export interface EvacuationPlan {
  evacuations: Evacuations;
  /** Service → why its traffic stays although its pools are in maintenance. */
  stays: ReadonlyMap<string, string>;
  /** When the next steps are due (ms since the epoch). */
  due: number[];
}

export function planEvacuations(
  view: Rollout,
  live: Route | undefined,
  led: readonly { group: Group; service: string }[],
): EvacuationPlan {
  const before: Evacuations = live ? readEvacuations(live) : {};
  const evacuations: Record<string, Evacuation> = {};
  const stays = new Map<string, string>();
  for (const { group, service } of led) {
    const closed = closedPools(view, group.pools);
    const obstacle = closed.length === 0 ? undefined : whyStays(view, group, closed);
    if (obstacle !== undefined) stays.set(service, obstacle);
    const next = nextOf(before[service], closed.length > 0 && obstacle === undefined, view.now);
    if (next) evacuations[service] = next;
  }
  const due = Object.values(evacuations)
    .filter((one) => stepOf(one, view.now) < STEPS)
    .map((one) => Date.parse(one.since) + stepOf(one, view.now) * STEP_MS);
  return { evacuations, stays, due };
}

function nextOf(before: Evacuation | undefined, leaves: boolean, now: number): Evacuation | undefined {
  if (leaves) return before?.to === 'Away' ? before : turned(keptPart(before, now), 'Away', now);
  if (!before) return undefined;
  const back = before.to === 'Back' ? before : turned(keptPart(before, now), 'Back', now);
  return keptPart(back, now) === 1 ? undefined : back;
}

/** Goes on from the part that is kept now, with the next step at once. */
function turned(kept: number, to: Evacuation['to'], now: number): Evacuation {
  const done = Math.round((to === 'Away' ? 1 - kept : kept) * STEPS);
  return { since: new Date(now - done * STEP_MS).toISOString(), to };
}

/** Why the traffic of a group stays although pools of it are in maintenance; undefined if it may leave. */
function whyStays(view: Rollout, group: Group, closed: readonly ClosedPool[]): string | undefined {
  const names = closed.map(({ pool }) => pool.name).join(', ');
  const prefix = `VMPool ${names} is in maintenance, and the traffic stays`;
  if (closed.length < group.pools.length)
    return `${prefix}: the Service also leads to pools that are not in maintenance`;
  const left = new Set(closedPools(view, view.pools).map(({ pool }) => pool));
  const others = view.pools.filter((pool) => !left.has(pool));
  if (others.length === 0) return `${prefix}: the release has no other pool that is not in maintenance`;
  if (closed.every(({ maintenance }) => maintenance.force)) return undefined;
  const wanted = view.pools.reduce((sum, { replicas }) => sum + replicas, 0);
  const ready = others.reduce((sum, pool) => sum + reachedPods(view, pool.group, pool), 0);
  const percent = Math.max(...closed.map(({ maintenance }) => Number.parseInt(maintenance.minRemaining, 10) || 0));
  if (ready >= Math.max(1, Math.ceil((wanted * percent) / 100))) return undefined;
  return `${prefix}: the other pools have ${ready} ready pods of ${wanted} that the release wants, and ${percent}% must remain (spec.maintenance.minRemaining; force overrides it)`;
}
