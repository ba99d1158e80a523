/** Builders for tests of routes. */
import { LABEL } from '../../api/meta.ts';
import type { RouteTemplate } from '../../api/route.ts';
import { route as schema } from '../../api/route.ts';
import { ownerReference } from '../record/desired.ts';
import type { Route, RouteParent } from '../record/kube-objects.ts';
import type { RouteNotes } from '../record/route-notes.ts';
import { writeNotes } from '../record/route-notes.ts';
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
  /** The notes in its annotations. */
  sizes?: RouteNotes['sizes'];
  evacuations?: RouteNotes['evacuations'];
  parents?: RouteParent[];
  spec?: object;
}

/** A live route of the release web. */
export function liveRouteOf({
  name = 'web',
  weights = {},
  sizes,
  evacuations = {},
  parents = [parent()],
  spec = {},
}: RouteWords): Route {
  const backendRefs = Object.entries(weights).map(([service, weight]) => ({ name: service, port: 80, weight }));
  return {
    metadata: meta(name, {
      generation: 1,
      labels: { [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' },
      annotations: writeNotes({ ...(sizes && { sizes }), evacuations }),
      ownerReferences: [ownerReference({ name: 'web', namespace: 'shop', uid: 'uid-web' })],
    }),
    spec: { ...GATEWAY, rules: [{ backendRefs }], ...spec },
    parents,
  };
}
