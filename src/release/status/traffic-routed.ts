/** The condition TrafficRouted, what keeps a release with a route from having it, and the share of each pool. Pure. */
import type { PoolStatus } from '../../api/app-release-status.ts';
import type { ConditionDraft } from '../../api/conditions.ts';
import type { RouteTemplate } from '../../api/route.ts';
import { routeKey, routeName } from '../route/desired-route.ts';
import { leftRouteWait } from '../route/left-routes.ts';
import { acceptanceOf } from '../route/parents.ts';
import { isEvacuated, liveRoute } from '../route/reconcile-route.ts';
import { percentOf } from '../route/weights.ts';
import { printable } from '../../lib/printable.ts';
import { exposureFigures, exposureWait } from '../stages/exposure.ts';
import type { PoolView, Rollout, Share, View } from '../state/view.ts';
import type { ReadyReason } from './ready-reason.ts';

/** Empty for a release without a route. */
export function trafficRouted(view: View): ConditionDraft[] {
  if (view.kind !== 'Rollout') return [];
  const { route } = view.topology;
  const left = leftRouteWait(view);
  if (!route)
    return left === undefined ? [] : [{ type: 'TrafficRouted', status: 'True', reason: 'RouteStays', message: left }];
  return [{ type: 'TrafficRouted', ...(routeStops(view) ?? acceptance(view, route)) }];
}

type Draft = Omit<ConditionDraft, 'type'>;

function acceptance(view: Rollout, template: RouteTemplate): Draft {
  const live = liveRoute(view, template);
  const object = `${template.kind} ${routeName(view.owner, template)}`;
  if (!live) return { status: 'False', reason: 'NoService', message: `${object} is made once a pool has its Service` };
  const said = acceptanceOf(live);
  if (said.state === 'Accepted')
    return {
      status: 'True',
      reason: 'Accepted',
      message: [`every Gateway has accepted ${object}`, leftRouteWait(view) ?? []].flat().join('; '),
    };
  return {
    status: 'False',
    reason: said.state === 'Waiting' ? 'WaitingForGateway' : 'NotAccepted',
    message: `${object}: ${said.message}`,
  };
}

/** Ready and Stalled tell a denial by a policy from other refusals. */
function routeStops(view: Rollout): Draft | undefined {
  const stop = routeFails(view);
  if (!stop) return undefined;
  const isRefused = stop.reason !== 'GatewayAPIMissing' && stop.reason !== 'NameTaken';
  return { status: 'False', ...stop, ...(isRefused && { reason: 'RouteRejected' }) };
}

/** Why the route is not written. A person has to act. */
export function routeFails(view: Rollout): ReadyReason | undefined {
  const { route } = view.topology;
  if (!route) return undefined;
  const { observed, owner } = view;
  const absence = observed.routeAbsence(route.kind);
  if (absence !== undefined) return { reason: 'GatewayAPIMissing', message: ABSENT[absence](route.kind) };
  const object = routeKey(route.kind, routeName(owner, route));
  const taken = observed.memory.nameConflicts.get(object);
  if (taken !== undefined) return { reason: 'NameTaken', message: taken };
  const refused = observed.memory.refused.get(object);
  return refused && { reason: refused.reason, message: refused.message };
}

const ABSENT = {
  NotFound: (kind: string) =>
    `spec.route: the cluster has no ${kind} of gateway.networking.k8s.io/v1: install the CRDs of the Gateway API and a Gateway (https://gateway-api.sigs.k8s.io/guides/), or remove spec.route`,
  Forbidden: (kind: string) =>
    `spec.route: the operator may not read ${kind}s: set the value route.enabled of the chart to true (its flag --routes, and its role), or remove spec.route`,
};

/** The share of the pool's Service in the route; undefined without a route. */
export function poolTraffic(view: Rollout, pool: PoolView): PoolStatus['traffic'] {
  const { group } = pool;
  const { route } = view.topology;
  if (!route || !liveRoute(view, route)) return undefined;
  const { shares = [] } = view.routed ?? {};
  const own = shares.filter((one) => one.group === group);
  const share = own.find(({ isNext }) => !isNext);
  if (!share) return undefined;
  const { weight, message } = share;
  const exposure = exposureStatus(view, pool, own, shares);
  return {
    percent: percentOf(own, shares),
    weight,
    ...(message !== undefined && { message }),
    ...(exposure && { exposure }),
    ...(isEvacuated(view, route, share) && { evacuated: true }),
  };
}

function exposureStatus(
  view: Rollout,
  pool: PoolView,
  own: readonly Share[],
  shares: readonly Share[],
): NonNullable<PoolStatus['traffic']>['exposure'] {
  const figures = exposureFigures(view, pool);
  const wait = exposureWait(view, pool);
  if (!figures || !wait) return undefined;
  const next = own.filter(({ isNext }) => isNext);
  return {
    ...figures,
    percent: `${figures.percent}%`,
    total: percentOf(next, shares),
    ...(wait.until !== undefined && { until: new Date(wait.until).toISOString() }),
    message: printable(wait.message),
  };
}
