/** `spec.route`: one route of the Gateway API over all pools of a release (https://gateway-api.sigs.k8s.io). */
import * as z from 'zod';
import { isObject } from '../lib/json.ts';
import { dnsLabel, duration, opaqueObject } from './common.ts';
import { mapByName, metadataOf } from './pod-template.ts';

export const GATEWAY_API_VERSION = 'gateway.networking.k8s.io/v1';

/** The kinds of routes that a release may have. */
export const ROUTE_KINDS = ['HTTPRoute', 'GRPCRoute'] as const;
export type RouteKind = (typeof ROUTE_KINDS)[number];

/** The limits of the Gateway API on a route. */
export const MOST_RULES = 16;
export const MOST_MATCHES_OF_RULE = 64;
export const MOST_MATCHES = 128;
export const MOST_BACKENDS = 16;
/** The largest weight that the operator writes: some gateways accept no larger one, though the Gateway API does. */
export const MOST_WEIGHT = 999;

const MESH = 'a parentRef of kind Service (a mesh) is not supported yet: refer to a Gateway';

const parentRef = z
  .object({
    group: z.string().max(253).optional().meta({ description: 'The API group. Default: gateway.networking.k8s.io.' }),
    kind: z.string().min(1).max(63).optional().meta({ description: 'The kind. Default: Gateway.' }),
    namespace: dnsLabel(63, 'The namespace. Default: that of the AppRelease.').optional(),
    name: z.string().min(1).max(253).meta({ description: 'The name of the Gateway.' }),
    sectionName: z.string().min(1).max(253).optional().meta({ description: 'The listener. Default: all listeners.' }),
    port: z.int().min(1).max(65535).optional().meta({ description: 'The port of the listeners. Default: all ports.' }),
  })
  .refine(({ kind }) => kind !== 'Service', MESH)
  .meta({
    description: 'A Gateway that the route is attached to.',
    'x-kubernetes-validations': [{ rule: "!has(self.kind) || self.kind != 'Service'", message: MESH }],
  });
export type ParentRef = z.infer<typeof parentRef>;

const BACKENDS = 'leave backendRefs out: the operator sets them to the Services of the pools';
const REDIRECT = 'a rule of a release cannot redirect: give the redirect a route of its own';

const filter = z.looseObject({ type: z.string().max(253).meta({ description: 'The type of the filter.' }) }).meta({
  description: 'A filter as in the Gateway API.',
  'x-kubernetes-preserve-unknown-fields': true,
});

const rule = z
  .looseObject({
    port: dnsLabel(63, 'The name of a port of spec.service. Required if the Service has several ports.').optional(),
    filters: z.array(filter).max(16).optional().meta({ description: 'Filters as in the Gateway API.' }),
    backendRefs: z
      .array(opaqueObject('A backendRef.'))
      .max(MOST_BACKENDS)
      .optional()
      .meta({ description: 'Not allowed: the operator sets it.' }),
  })
  .refine(({ backendRefs }) => backendRefs === undefined, BACKENDS)
  .refine(({ filters = [] }) => filters.every(({ type }) => type !== 'RequestRedirect'), REDIRECT)
  .meta({
    description:
      'A rule as in the Gateway API (matches, filters, timeouts and so on), without backendRefs. The API server checks the fields.',
    'x-kubernetes-preserve-unknown-fields': true,
    'x-kubernetes-validations': [
      { rule: '!has(self.backendRefs)', message: BACKENDS },
      { rule: "!has(self.filters) || self.filters.all(f, f.type != 'RequestRedirect')", message: REDIRECT },
    ],
  });
export type RouteRule = z.infer<typeof rule>;

/** The matches of a rule; a rule without any fits every request. Opaque: the API server checks them. */
export function matchesOf({ matches }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] {
  const own = Array.isArray(matches) ? matches.filter(isObject) : [];
  return own.length === 0 ? [{}] : own;
}

export function headersOf({ headers }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] {
  return Array.isArray(headers) ? headers.filter(isObject) : [];
}

const headerMatch = z
  .object({
    name: z.string().min(1).max(256).meta({ description: 'The name of the header, in any case.' }),
    value: z.string().min(1).max(4096).meta({ description: 'The value, or the regular expression.' }),
    type: z
      .enum(['Exact', 'RegularExpression'])
      .default('Exact')
      .meta({ description: 'RegularExpression: as far as the Gateway supports it.' }),
  })
  .meta({ description: 'A header that a request must have.' });

/** One match: all of its headers. */
export const stageMatch = z
  .object({
    headers: z
      .array(headerMatch)
      .min(1)
      .max(8)
      .meta({ description: 'The headers that a request must have, all of them.', ...mapByName }),
  })
  .meta({ description: 'A match by headers.' });
export type StageMatch = z.infer<typeof stageMatch>;

const FOR_OR_APPROVAL = 'give `for`, or approval: Manual: a step without both would end at once';

/** One step of an exposure. */
export const exposureStep = z
  .object({
    percent: z
      .int()
      .min(0)
      .max(100)
      .meta({ description: 'The part of the pool’s own traffic that goes to the new version, in percent.' }),
    for: duration(
      'How long the step lasts at least, while the Gateways accept the route and the pods are ready.',
    ).optional(),
    approval: z
      .enum(['Automatic', 'Manual'])
      .default('Automatic')
      .meta({ description: 'Manual: the step ends when a ReleasePromotion names the stage and the step.' }),
  })
  .refine((step) => step.for !== undefined || step.approval === 'Manual', FOR_OR_APPROVAL)
  .meta({
    description: 'A step of an exposure.',
    'x-kubernetes-validations': [
      // `for` is a reserved word of CEL.
      { rule: "has(self.__for__) || (has(self.approval) && self.approval == 'Manual')", message: FOR_OR_APPROVAL },
    ],
  });
export type ExposureStep = z.infer<typeof exposureStep>;

export const route = z
  .object({
    kind: z.enum(ROUTE_KINDS).default('HTTPRoute').meta({ description: 'The kind of the route.' }),
    name: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .meta({ description: 'The name of the route. Default: that of the AppRelease.' }),
    metadata: metadataOf('the route').optional(),
    parentRefs: z
      .array(parentRef)
      .min(1)
      .max(32)
      .meta({ description: 'The Gateways that the route is attached to.', 'x-kubernetes-list-type': 'atomic' }),
    hostnames: z
      .array(z.string().min(1).max(253))
      .max(16)
      .optional()
      .meta({ description: 'The host names of the route. Default: all host names of the listeners.' }),
    rules: z.array(rule).min(1).max(MOST_RULES).optional().meta({
      description: 'The rules, without backendRefs. Default: one rule for all requests.',
      'x-kubernetes-list-type': 'atomic',
    }),
    nextMetadata: metadataOf('the Services <service>-next of stages with match or exposure').optional(),
    settle: duration('How long a gateway may need until it follows a change that it has accepted.').default('30s'),
  })
  .meta({
    description:
      'One HTTPRoute or GRPCRoute of the Gateway API over the Services of all pools, each with its share of the traffic.',
  });
export type RouteTemplate = z.infer<typeof route>;
