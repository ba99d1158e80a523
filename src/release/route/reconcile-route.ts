/** Keeps the route of a release: its rules as in the spec, with the pools' Services and weights. Pure. */
import { drainMs } from '../record/revision.ts';
import type { RouteTemplate } from '../../api/route.ts';
import type { Action } from '../record/actions.ts';
import type { DesiredRoute, Route } from '../record/kube-objects.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { putRight } from '../state/drift.ts';
import { OWNED_FIELDS } from '../state/observed.ts';
import type { Group, Rollout, Share, Shares, View } from '../state/view.ts';
import { awayAt } from './evacuation.ts';
import { acceptanceOf } from './parents.ts';
import { makeRoute, refusalHash, routeKey, routeName } from './desired-route.ts';
import { liveWeight, percentOf, sharesOf } from './weights.ts';

/** The route that exists. */
export function liveRoute({ observed, owner }: View, template: RouteTemplate): Route | undefined {
  const name = routeName(owner, template);
  return observed[OWNED_FIELDS[template.kind]].find(({ metadata }) => metadata.name === name);
}

/** The Services of the route with their weights; undefined for a release without a route. */
export function routedShares(view: Rollout): Shares | undefined {
  const { route } = view.topology;
  return route && sharesOf(view, liveRoute(view, route));
}

/** Whether the route gives the second Service of a group a part of the traffic. */
export function isShared(view: Rollout, { next }: Group): boolean {
  const { route } = view.topology;
  const live = route && liveRoute(view, route);
  return next !== undefined && (liveWeight(live, next.serviceName) ?? 0) > 0;
}

export function reconcileRoute(view: Rollout): Action[] {
  const { route } = view.topology;
  const shared = view.routed;
  // A rule without a backend would answer each request with an error.
  if (!route || !shared || shared.shares.length === 0) return [];
  const { memory } = view.observed;
  const { due: _due, ...content } = shared;
  const desired = makeRoute({ owner: view.owner, route, ...content });
  const object = routeKey(desired.kind, desired.metadata.name);
  const isStopped =
    view.observed.routeAbsence(route.kind) !== undefined ||
    memory.nameConflicts.has(object) ||
    memory.refused.get(object)?.hash === refusalHash(desired);
  if (isStopped) return [];
  const live = liveRoute(view, route);
  const write: Action = {
    kind: `Apply${desired.kind}`,
    message: `${live ? 'keep' : 'create'} ${desired.kind} ${desired.metadata.name}: ${describe(shared)}`,
    desired,
    force: live !== undefined,
  };
  if (!live) return [write];
  return putRight(memory, desired, live, write, hasOtherWeights(desired, live) ? 'AtOnce' : 'AskFirst');
}

function describe({ shares }: Pick<Shares, 'shares'>): string {
  return shares.map((share) => `${share.service} ${percentOf([share], shares)}`).join(', ');
}

/** Weights are what gateways follow: they are written without asking first. */
function hasOtherWeights(desired: DesiredRoute, live: Route): boolean {
  function weightsOf({ spec: { rules = [] } }: Pick<Route, 'spec'>): string {
    return canonicalJson(rules.map(({ backendRefs = [] }) => backendRefs.map(({ name, weight }) => [name, weight])));
  }
  return weightsOf(desired) !== weightsOf(live);
}

/** When weights may change, or a Service is evacuated, without another change (ms since the epoch). */
export function routeDue(view: Rollout): number[] {
  const { route } = view.topology;
  if (!route) return [];
  const { shares = [], due = [] } = view.routed ?? {};
  // The CRD may be installed at any time.
  const absent = view.observed.routeAbsence(route.kind) === undefined ? [] : [view.now + ABSENT_MS];
  return [...absent, ...due, ...shares.flatMap((share) => settledAt(view, share) ?? [])];
}

/** Whether no request comes through the route to a Service in maintenance any more. */
export function isEvacuated(view: Rollout, route: RouteTemplate, share: Share): boolean {
  const at = settledAt(view, share);
  const live = liveRoute(view, route);
  return at !== undefined && at <= view.now && live !== undefined && acceptanceOf(live).state === 'Accepted';
}

/** When Gateways have followed the weight 0, and connections are drained (ms since the epoch). */
function settledAt({ topology }: Rollout, { weight, evacuation }: Share): number | undefined {
  const away = evacuation && awayAt(evacuation);
  return away === undefined || weight > 0 ? undefined : away + drainMs(topology);
}

const ABSENT_MS = 10_000;
