import { GATEWAY_API_VERSION } from '../../api/route.ts';
import type { Live } from '../../kube/types.ts';
import type { Route, RouteParent, RouteSpec } from '../../release/record/kube-objects.ts';
import type { WireObject } from './wire.ts';
import { resource, toCachedMetadata, toCachedOwners } from './wire.ts';

type WireParent = Pick<RouteParent, 'parentRef'> & Partial<Pick<RouteParent, 'conditions'>>;
type WireRoute = WireObject<{ spec?: RouteSpec; status?: { parents?: WireParent[] } }>;

export const HTTP_ROUTES = resource<WireRoute>(GATEWAY_API_VERSION, 'HTTPRoute', 'httproutes');
export const GRPC_ROUTES = resource<WireRoute>(GATEWAY_API_VERSION, 'GRPCRoute', 'grpcroutes');

export function toCachedRoute(object: Live<WireRoute>): Route {
  const parents = object.status?.parents ?? [];
  return {
    metadata: toCachedMetadata(object),
    spec: object.spec ?? {},
    parents: parents.map(({ parentRef, conditions = [] }) => ({
      parentRef,
      conditions: conditions.map(({ type, status, reason, message, observedGeneration }) => ({
        type,
        status,
        ...(reason !== undefined && { reason }),
        ...(message !== undefined && { message }),
        ...(observedGeneration !== undefined && { observedGeneration }),
      })),
    })),
    ...toCachedOwners(object),
  };
}
