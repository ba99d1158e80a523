/** The weights of the pools' Services in the route of a release. Pure. */
import { MOST_WEIGHT } from '../../api/route.ts';
import type { Pod, Route } from '../record/kube-objects.ts';
import type { WrittenSizes } from '../record/route-notes.ts';
import { readSizes } from '../record/route-notes.ts';
import type { Group, Rollout, Share, Shares } from '../state/view.ts';
import { keptPart, planEvacuations } from './evacuation.ts';
import { existingService, selectedPods } from '../traffic/reach.ts';
import { hasExposure } from '../record/next-services.ts';
import { exposedPercent, exposingIn } from '../state/exposure.ts';

/** How long a pod must be ready before the weight of a pool that had none comes back (ms). */
const HEALTHY_MS = 10_000;
/** How often sizes of pools change weights (ms), and the least part of a share by which they do: a tenth. */
const SIZES_EVERY_MS = 60_000;
const LEAST_PART = 10;

/** The Services that exist, with their weights. `live`: the route that exists. */
export function sharesOf(view: Rollout, live: Route | undefined): Shares {
  const led = view.groups.flatMap((group) => {
    const service = existingService(group);
    return service === undefined ? [] : [{ group, service }];
  });
  const sizes = isWritten(view) ? undefined : currentSizes(view, live, led);
  const weights = scaled(led.map(({ group, service }) => sizes?.sizes.of[service] ?? writtenWeight(group)));
  const { evacuations, stays, due } = planEvacuations(view, live, led);
  const firsts = led.map(({ group, service }, index): Candidate => {
    const weight = weights[index] ?? 0;
    const evacuation = evacuations[service];
    const stay = stays.get(service);
    return {
      share: {
        group,
        service,
        weight,
        ...(stay !== undefined && { message: stay }),
        ...(evacuation && { evacuation }),
      },
      kept: keptPart(evacuation, view.now),
      part: 1,
      health: healthOf(view, group, liveWeight(live, service), weight),
    };
  });
  const all = firsts.flatMap((first) => withNext(view, first));
  return {
    shares: distribute(all),
    matched: matchedShares(view, firsts),
    evacuations,
    ...(sizes && { sizes: sizes.sizes }),
    due: [...all.flatMap(({ health }) => health.due ?? []), ...(sizes?.due ?? []), ...due],
  };
}

interface Candidate {
  share: Share;
  /** The part of its weight that maintenance leaves it, from 0 to 1. */
  kept: number;
  /** The part of the weight of its pools that it has of its two Services, from 0 to 1. */
  part: number;
  health: Health;
}

const IN_MAINTENANCE = 'its VMPool is in maintenance: the other pools get its share';

/** The Services of a group: the second one gets a part while a version is exposed, as long as pods of it are ready. */
function withNext(view: Rollout, first: Candidate): Candidate[] {
  const { share, kept } = first;
  const { group, weight } = share;
  const { next } = group;
  const [pool] = group.pools;
  if (!next?.service || !pool || !hasExposure(view.topology, pool.stage)) return [first];
  const exposing = exposingIn(view, pool.stage);
  const part = exposing && isNextUp(view, group) ? exposedPercent(exposing) / 100 : 0;
  const second: Share = { group, service: next.serviceName, isNext: true, weight };
  return [
    { ...first, part: 1 - part },
    { share: second, kept, part, health: { isUp: true } },
  ];
}

function isNextUp(view: Rollout, { next, pools }: Group): boolean {
  return next !== undefined && selectedPods(view, { ...next, pools })?.length !== 0;
}

/**
 * The shares of requests with the headers of each stage's match. While maintenance keeps the traffic away from all pools of the
 * stage, its requests go where all others go.
 */
function matchedShares(view: Rollout, firsts: readonly Candidate[]): Shares['matched'] {
  return view.topology.stages
    .filter(({ match }) => match !== undefined)
    .flatMap((stage) => {
      const own = firsts.flatMap(({ share: { group, weight }, kept }): Candidate[] => {
        const { next } = group;
        if (!next?.service || group.pools[0]?.stage.name !== stage.name) return [];
        const share: Share = { group, service: next.serviceName, isNext: true, weight: Math.max(1, weight) };
        return [{ share, kept, part: 1, health: { isUp: isNextUp(view, group) } }];
      });
      return own.every(({ kept }) => kept === 0) ? [] : [{ stage, shares: distribute(own) }];
    });
}

/** Takes away the weight of Services without ready pods, and what maintenance and exposure take, as long as some remains. */
function distribute(all: readonly Candidate[]): Share[] {
  const led = all.filter(({ share, part, health }) => share.weight > 0 && part > 0 && health.isUp);
  const isDark = led.length === 0;
  const isEmptied = led.every(({ kept }) => kept === 0);
  // A part of a small weight would be no whole number.
  const isBetween = all.some(({ kept, part }) => (!isDark && kept > 0 && kept < 1) || (part > 0 && part < 1));
  const factor = isBetween
    ? Math.max(1, Math.floor(MOST_WEIGHT / Math.max(1, ...all.map(({ share }) => share.weight))))
    : 1;
  return all.map(({ share, kept, part, health }) => {
    if (!isDark && !health.isUp && share.weight > 0)
      return { ...share, weight: 0, ...(health.message !== undefined && { message: health.message }) };
    const isLeft = !isDark && !isEmptied && kept < 1;
    const weight = share.weight * factor * part * (isLeft ? kept : 1);
    return {
      ...share,
      weight: weight > 0 ? Math.max(1, Math.round(weight)) : 0,
      ...(isLeft && share.weight > 0 && !share.isNext && { message: IN_MAINTENANCE }),
    };
  });
}

/** Whether the spec gives the weights. */
function isWritten({ topology }: Rollout): boolean {
  return topology.stages.some(({ pools }) => pools.some(({ weight }) => weight !== undefined));
}

function writtenWeight({ pools }: Group): number {
  return pools.reduce((sum, { spec }) => sum + (spec.weight ?? 0), 0);
}

/** Fits weights below the limit, in proportion. What is above 0 stays above 0; if all are 0, all get the same. */
export function scaled(weights: readonly number[]): number[] {
  const most = Math.max(0, ...weights);
  if (most === 0) return weights.map(() => 1);
  if (most <= MOST_WEIGHT) return [...weights];
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.round((weight * MOST_WEIGHT) / most))));
}

/** The number of pods that each Service should have; as last written, while no share has changed by a tenth. */
function currentSizes(
  view: Rollout,
  live: Route | undefined,
  led: readonly { group: Group; service: string }[],
): { sizes: WrittenSizes; due: number[] } {
  const now = Object.fromEntries(
    led.map(({ group, service }) => [service, group.pools.reduce((sum, { replicas }) => sum + replicas, 0)]),
  );
  const written = live && readSizes(live);
  const anew = { at: new Date(view.now).toISOString(), of: now };
  if (!written || !hasSameKeys(written.of, now)) return { sizes: anew, due: [] };
  if (!differs(written.of, now)) return { sizes: written, due: [] };
  const due = Date.parse(written.at) + SIZES_EVERY_MS;
  return due > view.now ? { sizes: written, due: [due] } : { sizes: anew, due: [] };
}

function hasSameKeys(one: object, other: object): boolean {
  return (
    Object.keys(one).length === Object.keys(other).length && Object.keys(one).every((key) => Object.hasOwn(other, key))
  );
}

/** Whether a share of the whole has changed by a tenth of it. Compares products of whole numbers, which are exact. */
function differs(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>): boolean {
  const [wholeBefore, whole] = [wholeOf(before), wholeOf(now)];
  return Object.entries(now).some(([service, size]) => {
    const [share, shareBefore] = [size * wholeBefore, (before[service] ?? 0) * whole];
    return share !== shareBefore && Math.abs(share - shareBefore) * LEAST_PART >= shareBefore;
  });
}

function wholeOf(sizes: Readonly<Record<string, number>>): number {
  return Object.values(sizes).reduce((sum, size) => sum + size, 0) || 1;
}

interface Health {
  isUp: boolean;
  message?: string;
  due?: number[];
}

/** A Service without a ready pod gets no traffic, at once; it gets its share again once a pod has been ready for a while. */
function healthOf(view: Rollout, group: Group, before: number | undefined, weight: number): Health {
  const ready = selectedPods(view, group);
  if (!ready) return { isUp: true };
  if (ready.length === 0) return { isUp: false, message: 'no pod is ready: the other pools get its share' };
  if (before !== 0 || weight === 0) return { isUp: true };
  const back = Math.min(...ready.map(readySince)) + HEALTHY_MS;
  if (back <= view.now) return { isUp: true };
  return {
    isUp: false,
    message: 'a pod has been ready for less than 10 s: the other pools get its share',
    due: [back],
  };
}

function readySince({ readySince: since }: Pod): number {
  return Date.parse(since ?? '') || 0;
}

/** The weight that the route gives a Service; undefined if the route does not lead to it. */
export function liveWeight(live: Route | undefined, service: string): number | undefined {
  // Rules with the headers of a stage's match come before the rule of the spec.
  const backend = live?.spec.rules?.at(-1)?.backendRefs?.find(({ name }) => name === service);
  // The default of the Gateway API.
  return backend && (backend.weight ?? 1);
}

/** The part of all traffic, in percent with at most one decimal. */
export function percentOf(some: readonly Share[], shares: readonly Share[]): string {
  const [part, whole] = [some, shares].map((of) => of.reduce((sum, { weight }) => sum + weight, 0));
  const percent = whole ? ((part ?? 0) * 100) / whole : 0;
  // Small parts keep a digit that is not 0.
  return `${percent < 0.1 ? Number(percent.toPrecision(1)) : Math.round(percent * 10) / 10}%`;
}
