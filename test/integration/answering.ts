// What a Gateway says about routes, written by the test.
import { HTTP_ROUTES } from '../../src/controller/kinds/routes.ts';
import { statusOf } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin } from './harness.ts';

export const GATEWAY = { name: 'public', namespace: 'gateways' };
export const ROUTE = { parentRefs: [GATEWAY], hostnames: ['shop.example.com'] };

/** What a Gateway would write: that it has accepted the last change of the route, or its first fault. */
export async function answer(
  { namespace }: World,
  name = 'web',
  fault?: { reason: string; message: string },
): Promise<void> {
  const { metadata } = await admin.get(HTTP_ROUTES, { namespace, name });
  const { generation = 0 } = metadata as { generation?: number };
  const conditions = ['Accepted', 'ResolvedRefs'].map((type, index) => ({
    type,
    lastTransitionTime: new Date().toISOString(),
    observedGeneration: generation,
    ...(fault && index === 0 ? { status: 'False', ...fault } : { status: 'True', reason: type, message: '' }),
  }));
  const parents = [{ parentRef: GATEWAY, controllerName: 'example.com/gateway', conditions }];
  await admin.patch(
    statusOf(HTTP_ROUTES),
    { namespace, name },
    { type: 'merge', body: { status: { parents } } },
    { fieldManager: 'gateway' },
  );
}

export interface Backend {
  name: string;
  weight?: number;
}

/** The backends of each rule. */
export async function backendsOf({ namespace }: World, name = 'web'): Promise<Backend[][]> {
  const { spec } = await admin.get(HTTP_ROUTES, { namespace, name });
  return (spec?.rules ?? []).map(({ backendRefs = [] }) => backendRefs);
}

/** Answers to every change of the route until it is stopped. */
export function answerAll(world: World): { stop: () => Promise<void> } {
  let isStopped = false;
  let seen = 0;
  async function follow(): Promise<void> {
    while (!isStopped) {
      const [route] = await world.list(HTTP_ROUTES);
      const { generation = 0 } = (route?.metadata ?? {}) as { generation?: number };
      if (route && generation !== seen) {
        seen = generation;
        await answer(world, route.metadata.name);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const following = follow();
  return {
    stop: async () => {
      isStopped = true;
      await following;
    },
  };
}
