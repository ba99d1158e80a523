/** Builders for tests of routes. */
import { LABEL } from '../../api/meta.ts';
import type { RouteTemplate } from '../../api/route.ts';
import { route as schema } from '../../api/route.ts';
import { ownerReference } from '../record/desired.ts';
import type { Route, RouteParent } from '../record/kube-objects.ts';
import { writeSizes } from '../record/route-sizes.ts';
import { meta } from '../testing.ts';

/** spec.route of the tests, before its defaults. */
export const GATEWAY = { parentRefs: [{ name: 'public', namespace: 'gateways' }], hostnames: ['shop.example.com'] };

export function template(more: object = {}): RouteTemplate {
  return schema.parse({ ...GATEWAY, ...more });
}

/** What a Gateway says: the conditions that are not True, and the generation that it has seen. */
export function parent(
  faults: Record<string, [reason: string, message: string]> = {},
  { seen = 1, ref = GATEWAY.parentRefs[0] ?? { name: '' } } = {},
): RouteParent {
  return {
    parentRef: ref,
    conditions: ['Accepted', 'ResolvedRefs'].map((type) => {
      const [reason, message] = faults[type] ?? [type, ''];
      return { type, status: faults[type] ? 'False' : 'True', reason, message, observedGeneration: seen };
    }),
  };
}

export interface RouteWords {
  name?: string;
  /** Service → weight. */
  weights?: Record<string, number>;
  /** The sizes in its annotation, and when they were written (RFC 3339). */
  sizes?: { at: string; of: Record<string, number> };
  parents?: RouteParent[];
  spec?: object;
}

/** A live route of the release web. */
export function liveRouteOf({ name = 'web', weights = {}, sizes, parents = [parent()], spec = {} }: RouteWords): Route {
  const backendRefs = Object.entries(weights).map(([service, weight]) => ({ name: service, port: 80, weight }));
  return {
    metadata: meta(name, {
      generation: 1,
      labels: { [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' },
      annotations: sizes ? writeSizes(sizes) : {},
      ownerReferences: [ownerReference({ name: 'web', namespace: 'shop', uid: 'uid-web' })],
    }),
    spec: { ...GATEWAY, rules: [{ backendRefs }], ...spec },
    parents,
  };
}
