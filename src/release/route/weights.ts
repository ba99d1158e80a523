/** The weights of the pools' Services in the route of a release. Pure. */
import type { Pod, Route } from '../record/kube-objects.ts';
import type { WrittenSizes } from '../record/route-sizes.ts';
import { readSizes } from '../record/route-sizes.ts';
import type { Group, Rollout } from '../state/view.ts';
import { existingService, selectedPods } from '../traffic/reach.ts';

/** The largest weight in a route: some gateways accept no larger one, though the Gateway API does. */
const MOST = 999;
/** How long a pod must be ready before the weight of a pool that had none comes back (ms). */
const HEALTHY_MS = 10_000;
/** How often sizes of pools change weights (ms), and the least change of a share that does. */
const SIZES_EVERY_MS = 60_000;
const LEAST_CHANGE = 0.1;

/** A Service that the route leads to. */
export interface Share {
  group: Group;
  service: string;
  weight: number;
  /** Why the Service gets no traffic although the spec gives it some. */
  message?: string;
}

export interface Shares {
  shares: Share[];
  /** The sizes of the pools if these are the weights, to be written to the route. */
  sizes?: WrittenSizes;
  /** When the weights may change without another change (ms since the epoch). */
  due: number[];
}

/** The Services that exist, with their weights. `live`: the route that exists. */
export function sharesOf(view: Rollout, live: Route | undefined): Shares {
  const led = view.groups.flatMap((group) => {
    const service = existingService(group);
    return service === undefined ? [] : [{ group, service }];
  });
  const sizes = isWritten(view) ? undefined : currentSizes(view, live, led);
  const given = led.map(({ group, service }) => sizes?.sizes.of[service] ?? writtenWeight(group));
  const weights = scaled(given);
  const healths = led.map(({ group, service }, index) =>
    healthOf(view, group, liveWeight(live, service), weights[index] ?? 0),
  );
  const isServed = healths.some(({ isUp }, index) => isUp && (weights[index] ?? 0) > 0);
  return {
    shares: led.map(({ group, service }, index) => {
      const weight = weights[index] ?? 0;
      const { isUp = true, message = '' } = isServed ? (healths[index] ?? {}) : {};
      return isUp || weight === 0 ? { group, service, weight } : { group, service, weight: 0, message };
    }),
    ...(sizes && { sizes: sizes.sizes }),
    due: [...healths.flatMap(({ due = [] }) => due), ...(sizes?.due ?? [])],
  };
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
  if (most <= MOST) return [...weights];
  return weights.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.round((weight * MOST) / most))));
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

/** Whether a share of the whole has changed by a tenth of it. */
function differs(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>): boolean {
  const [wholeBefore, whole] = [before, now].map((sizes) => Object.values(sizes).reduce((sum, size) => sum + size, 0));
  return Object.entries(now).some(([service, size]) => {
    const share = size / (whole || 1);
    const shareBefore = (before[service] ?? 0) / (wholeBefore || 1);
    // The difference of two shares is not exact.
    return Math.abs(share - shareBefore) > 1e-9 && Math.abs(share - shareBefore) >= LEAST_CHANGE * shareBefore - 1e-9;
  });
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
function liveWeight(live: Route | undefined, service: string): number | undefined {
  const backend = live?.spec.rules?.[0]?.backendRefs?.find(({ name }) => name === service);
  // The default of the Gateway API.
  return backend && (backend.weight ?? 1);
}

/** The part of all traffic, in percent with at most one decimal. */
export function percentOf(share: Share, shares: readonly Share[]): string {
  const whole = shares.reduce((sum, { weight }) => sum + weight, 0);
  const percent = whole === 0 ? 0 : (share.weight * 100) / whole;
  return `${Math.round(percent * 10) / 10}%`;
}
