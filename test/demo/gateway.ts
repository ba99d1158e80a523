// What a Gateway would say about routes: no pod of a simulated VM answers requests, so nothing routes any.
import { KubeConfig } from '@kubernetes/client-node';
import { HTTP_ROUTES, toCachedRoute } from '../../src/controller/kinds/routes.ts';
import { createClient } from '../../src/kube/client.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { statusOf } from '../../src/kube/types.ts';
import type { Route } from '../../src/release/record/kube-objects.ts';
import { isSeen } from '../../src/release/route/parents.ts';

/** Accepts every change of the routes in a namespace; returns what ends that. */
export function acceptRoutes(kubeconfigPath: string, namespace: string): () => Promise<void> {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfigPath);
  const client = createClient(kubeConfig, { userAgent: 'gateway' });
  const reflector = createReflector({ client, resource: HTTP_ROUTES, transform: toCachedRoute, namespace });
  const answering = new Set<Promise<void>>();

  async function answer({ metadata, spec }: Route): Promise<void> {
    const { name, generation = 0 } = metadata;
    const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({
      type,
      status: 'True',
      reason: type,
      message: '',
      lastTransitionTime: new Date().toISOString(),
      observedGeneration: generation,
    }));
    const parents = (spec.parentRefs ?? []).map((parentRef) => ({
      parentRef,
      controllerName: 'example.com/demo',
      conditions,
    }));
    const patch = { type: 'merge' as const, body: { status: { parents } } };
    await client.patch(statusOf(HTTP_ROUTES), { namespace, name }, patch, { fieldManager: 'gateway' });
  }

  reflector.onChange(() => {
    for (const route of reflector.store.list()) {
      if (route.parents.length > 0 && isSeen(route)) continue;
      // A later change is answered anew.
      const answered: Promise<void> = answer(route).then(
        () => void answering.delete(answered),
        () => void answering.delete(answered),
      );
      answering.add(answered);
    }
  });
  reflector.start();
  return async () => {
    await reflector.stop();
    await Promise.all(answering);
    await client.close();
  };
}
