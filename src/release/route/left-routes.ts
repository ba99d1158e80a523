/**
 * Routes that the spec no longer names: they lead traffic until another route does. Pure.
 */
import { parseDuration } from '../../api/common.ts';
import { ANNOTATION } from '../../api/meta.ts';
import type { ParentRef, RouteKind, RouteTemplate } from '../../api/route.ts';
import { GATEWAY_API_VERSION, ROUTE_KINDS } from '../../api/route.ts';
import type { Action } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import type { Owner } from '../record/desired.ts';
import { ownerReference } from '../record/desired.ts';
import type { DesiredRoute, Route } from '../record/kube-objects.ts';
import { writeNotes } from '../record/route-notes.ts';
import { putRight } from '../state/drift.ts';
import type { Covered, Observed } from '../state/observed.ts';
import { OWNED_FIELDS } from '../state/observed.ts';
import type { Rollout, Share, Shares } from '../state/view.ts';
import { routeKey, routeName } from './desired-route.ts';
import { describeParent, isAcceptedBy, isSameParent, isSeen } from './parents.ts';
import { sharesOf } from './weights.ts';

export interface LeftRoute {
  kind: RouteKind;
  route: Route;
}

/** The routes of the release that its spec does not name. */
function leftRoutes(view: Rollout): LeftRoute[] {
  return unnamed(view.observed, view.owner, view.topology.route);
}

/** The routes of a release that `spec.route` does not name. */
function unnamed(observed: OwnRoutes, owner: Pick<Owner, 'name'>, named: RouteTemplate | undefined): LeftRoute[] {
  const kept = named && routeKey(named.kind, routeName(owner, named));
  return ownRoutes(observed).filter(({ kind, route: { metadata } }) => routeKey(kind, metadata.name) !== kept);
}

type OwnRoutes = Pick<Observed, 'httpRoutes' | 'grpcRoutes'>;

function ownRoutes(observed: OwnRoutes): LeftRoute[] {
  return ROUTE_KINDS.flatMap((kind) =>
    observed[OWNED_FIELDS[kind]]
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((route) => ({ kind, route })),
  );
}

/** Whether a route of the release leads to a Service, or a Gateway has yet to see that it no longer does. */
export function mayBeRouted({ observed }: Pick<Rollout, 'observed'>, service: string): boolean {
  return ownRoutes(observed).some(
    ({ route }) =>
      !isSeen(route) ||
      (route.spec.rules ?? []).some(({ backendRefs = [] }) => backendRefs.some(({ name }) => name === service)),
  );
}

/** Removes a route once others have covered it for `settle`, or by annotation; until then keeps its backends up to date. */
export function reconcileLeftRoutes(view: Rollout): Action[] {
  return leftRoutes(view).flatMap((left) => (removalAt(view, left) <= view.now ? [remove(left)] : keep(view, left)));
}

/** When left routes are due to be removed (ms since the epoch). */
export function leftRoutesDue(view: Rollout): number[] {
  return leftRoutes(view).flatMap((left) => {
    const at = removalAt(view, left);
    // Other routes are read again: no watch tells of them.
    return [Number.isFinite(at) ? at : view.now + LOOK_AGAIN_MS, ...sharesOf(view, left.route).due];
  });
}

const LOOK_AGAIN_MS = 10_000;
const SETTLE = '30s';

function removalAt(view: Rollout, { kind, route }: LeftRoute): number {
  if (view.observed.release.metadata.annotations?.[ANNOTATION.routeRemoval] === 'force') return 0;
  const since = coveredSince(view).get(routeKey(kind, route.metadata.name));
  const settle = parseDuration(view.topology.route?.settle ?? SETTLE) ?? 0;
  return since === undefined ? Number.POSITIVE_INFINITY : since + settle;
}

function remove({ kind, route }: LeftRoute): Action {
  const message = `remove ${kind} ${route.metadata.name}: other routes serve what it served`;
  return { kind: `Delete${kind}`, message, target: targetOf(route) };
}

/** The route as it is, with the Services and weights of now: a Service that goes must not stay a backend. */
function keep(view: Rollout, { kind, route }: LeftRoute): Action[] {
  const { shares, matched, ...notes } = sharesOf(view, route);
  if (shares.length === 0) return [];
  const { name, namespace, labels = {}, annotations = {} } = route.metadata;
  const { [ANNOTATION.weights]: _sizes, [ANNOTATION.evacuations]: _evacuations, ...others } = annotations;
  const desired: DesiredRoute = {
    apiVersion: GATEWAY_API_VERSION,
    kind,
    metadata: {
      name,
      namespace,
      labels,
      annotations: { ...others, ...writeNotes(notes) },
      ownerReferences: [ownerReference(view.owner)],
    },
    spec: {
      ...route.spec,
      rules: (route.spec.rules ?? []).map((rule) => {
        const port = rule.backendRefs?.[0]?.port;
        const ports = port !== undefined && { port };
        const led = matchedBy(rule, matched) ?? shares;
        return { ...rule, backendRefs: led.map(({ service, weight }) => ({ name: service, ...ports, weight })) };
      }),
    },
  };
  const message = `keep the backends of ${kind} ${name}, which spec.route no longer names`;
  return putRight(
    view.observed.memory,
    desired,
    route,
    { kind: `Apply${kind}`, message, desired, force: true },
    'AtOnce',
  );
}

/** Where a rule leads that has the headers of a stage's match: to second Services alone. */
function matchedBy(
  { backendRefs = [] }: NonNullable<Route['spec']['rules']>[number],
  matched: Shares['matched'],
): readonly Share[] | undefined {
  return matched.find(({ shares }) => {
    const names = new Set(shares.map(({ service }) => service));
    return backendRefs.length > 0 && backendRefs.every(({ name }) => names.has(name));
  })?.shares;
}

/** What a left route waits for, with the way out; undefined if there is none. */
export function leftRouteWait(view: Rollout): string | undefined {
  const [left] = leftRoutes(view);
  if (!left) return undefined;
  const { kind, route } = left;
  const missing = uncovered(view, left);
  const what =
    missing === undefined
      ? 'its traffic has gone to other routes for long enough'
      : `another accepted route serves ${missing}`;
  return `${kind} ${route.metadata.name}, which spec.route no longer names, is removed once ${what}, or at once with the annotation ${ANNOTATION.routeRemoval}: force on the AppRelease`;
}

/** Whether other routes must be read: a route of the release is not what its spec names. */
export function mayHaveLeftRoutes({ spec, metadata }: Observed['release'], observed: OwnRoutes): boolean {
  return unnamed(observed, metadata, spec.route).length > 0;
}

/** Since when each left route is covered. */
export function coveredSince(view: Rollout): Covered {
  const { covered: previous } = view.observed.memory;
  return new Map(
    leftRoutes(view)
      .filter((left) => uncovered(view, left) === undefined)
      .map(({ kind, route }) => {
        const key = routeKey(kind, route.metadata.name);
        return [key, previous.get(key) ?? view.now];
      }),
  );
}

/** The first host name, at the first Gateway, that no other accepted route serves. */
function uncovered(view: Rollout, { route: { metadata, spec } }: LeftRoute): string | undefined {
  // Left routes do not cover each other.
  const left = new Set(leftRoutes(view).map(({ route }) => route.metadata.uid));
  const others = view.observed.otherRoutes.filter((other) => !left.has(other.metadata.uid));
  for (const parent of spec.parentRefs ?? []) {
    const accepted = others.filter((other) => serves(other, parent, metadata.namespace));
    const hosts = spec.hostnames ?? ['*'];
    const missing = hosts.find((host) => !accepted.some((other) => covers(other.spec.hostnames, host)));
    if (missing !== undefined)
      return `${missing === '*' ? 'all host names' : missing} at ${describeParent(parent, metadata.namespace)}`;
  }
  return undefined;
}

function serves(other: Route, parent: ParentRef, namespace: string): boolean {
  const own = (other.spec.parentRefs ?? []).find((ref) =>
    isSameParent({ ...ref, namespace: ref.namespace ?? other.metadata.namespace }, parent, namespace),
  );
  return own !== undefined && other.metadata.deletionTimestamp === undefined && isAcceptedBy(other, own);
}

/** Whether host names of a route, none for all, include a name, which may be a wildcard. */
function covers(hostnames: readonly string[] | undefined, host: string): boolean {
  if (!hostnames || hostnames.length === 0) return true;
  return hostnames.some(
    (name) => name === host || (name.startsWith('*.') && host.endsWith(name.slice(1)) && host !== '*'),
  );
}
