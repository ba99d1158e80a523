/** A Gateway that accepts every route, some time after each change. */
import type { RouteParent, RouteSpec } from '../../src/release/record/kube-objects.ts';
import type { World, WorldObject } from './world.ts';

export function routeSpec(object: WorldObject): RouteSpec {
  return object.spec as RouteSpec;
}

/** Answers to the last change of a route. */
export function answerRoute(world: World, kind: string, name: string): void {
  const route = world.get(kind, name);
  if (!route) return;
  const { generation = 1 } = route.metadata;
  const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({
    type,
    status: 'True',
    reason: type,
    message: '',
    observedGeneration: generation,
  }));
  const parents: RouteParent[] = (routeSpec(route).parentRefs ?? []).map((parentRef) => ({ parentRef, conditions }));
  if (JSON.stringify(route.status) !== JSON.stringify({ parents }))
    world.put('cluster', { ...route, status: { parents } });
}
