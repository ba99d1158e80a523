/** Builds the route of a release. Pure. */
import type { RouteKind, RouteRule, RouteTemplate, StageMatch } from '../../api/route.ts';
import { GATEWAY_API_VERSION, headersOf, matchesOf } from '../../api/route.ts';
import { LABEL, withoutOurs } from '../../api/meta.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { Owner } from '../record/desired.ts';
import { ownerReference } from '../record/desired.ts';
import type { BackendRef, DesiredRoute } from '../record/kube-objects.ts';
import type { RouteNotes } from '../record/route-notes.ts';
import { writeNotes } from '../record/route-notes.ts';
import { portNumber } from '../traffic/service.ts';
import type { Share, Shares } from '../state/view.ts';

export interface RouteOptions extends RouteNotes, Pick<Shares, 'shares' | 'matched'> {
  owner: Owner;
  route: RouteTemplate;
}

export function routeName(owner: Pick<Owner, 'name'>, { name }: Pick<RouteTemplate, 'name'>): string {
  return name ?? owner.name;
}

/**
 * Has no resourceVersion: gateways write the route's status at any time, and a write to the spec must not conflict with that.
 * The API server treats the list of rules as one field.
 */
export function makeRoute({ owner, route, shares, matched, ...notes }: RouteOptions): DesiredRoute {
  const { kind, metadata, parentRefs, hostnames, rules = [{}] } = route;
  return {
    apiVersion: GATEWAY_API_VERSION,
    kind,
    metadata: {
      name: routeName(owner, route),
      namespace: owner.namespace,
      labels: {
        [LABEL.managedBy]: 'apprelease',
        ...withoutOurs(metadata?.labels),
        [LABEL.release]: owner.name,
      },
      annotations: { ...withoutOurs(metadata?.annotations), ...writeNotes(notes) },
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      parentRefs,
      ...(hostnames && hostnames.length > 0 && { hostnames }),
      rules: rules.flatMap(({ port, ...rule }) => [
        ...matched.map(({ stage, shares: own }) => ({
          ...withMatch(rule, stage.match ?? []),
          backendRefs: own.map((share) => backendOf(share, port)),
        })),
        { ...rule, backendRefs: shares.map((share) => backendOf(share, port)) },
      ]),
    },
  };
}

/**
 * A rule for the requests that fit it and one of the matches of a stage. A rule with the headers alone would lose to a longer
 * path. Names of rules are unique, so the name stays with the rule of the spec.
 */
function withMatch(rule: Omit<RouteRule, 'port'>, match: readonly StageMatch[]): Omit<RouteRule, 'port'> {
  const { name: _name, ...others } = rule;
  return {
    ...others,
    matches: matchesOf(rule).flatMap((own) =>
      match.map(({ headers }) => ({ ...own, headers: [...headersOf(own), ...headers] })),
    ),
  };
}

function backendOf({ group, service: name, weight }: Share, port: RouteRule['port']): BackendRef {
  const number = portNumber(group, port);
  return { name, ...(number !== undefined && { port: number }), weight };
}

/** What a refusal of the route is about: the same rules with other weights are tried again. */
export function refusalHash({ spec }: { spec: unknown }): string {
  return shortHash(spec);
}

/** The key of a route in `Memory`. */
export function routeKey(kind: RouteKind, name: string): string {
  return `${kind}/${name}`;
}
