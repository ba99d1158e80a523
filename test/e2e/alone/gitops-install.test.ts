// Issue 4, item 5: Argo CD installs the operator, its CRDs and a release by one Application, into a cluster with none of them.
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { chart, NAME, root } from '../../chart/helm.ts';
import { createApplication, createRepository, manifestOf, removeApplication, test } from '../gitops.ts';
import { installOperator, NAMESPACE, OPERATOR } from '../operator.ts';
import { web } from '../releases.ts';
import { e2e, kubectl } from '../world.ts';

const VALUES = {
  insecureRegistries: [e2e.registry],
  tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
};

beforeAll(async () => {
  await kubectl('delete', '-k', join(root, 'manifests'));
  await kubectl('delete', '-k', join(root, 'crds'));
});

afterAll(async () => {
  await installOperator({ ...e2e, registries: [...e2e.registries, e2e.lockedRegistry] });
});

test('operator, CRDs and a release in one Application, from nothing', async ({ argo, world }) => {
  const repository = await createRepository(argo, world.namespace);
  await repository.commitFolder('Add the operator', chart, 'operator');
  const release = manifestOf(await web(world, '1.0.0'), { namespace: world.namespace });
  await repository.commit('Add web', { 'apps/web.yaml': release });

  const common = { repoURL: repository.url, targetRevision: 'main' };
  const app = await createApplication(argo, world, repository, {
    destination: NAMESPACE,
    sources: [
      { ...common, path: 'operator', helm: { releaseName: NAME, valuesObject: VALUES } },
      { ...common, path: 'apps' },
    ],
    syncPolicy: {
      automated: { prune: true, selfHeal: true },
      syncOptions: ['CreateNamespace=true'],
      retry: { limit: 0 },
    },
  });
  try {
    await app.becomes('Healthy', /version 1\.0\.0 is in every pool/);
    const { operationState, resources } = await app.status();
    expect(operationState).toMatchObject({ phase: 'Succeeded' });
    expect(resources?.filter(({ status }) => status !== 'Synced')).toEqual([]);

    await app.commit('Release 2.0.0', {
      'apps/web.yaml': manifestOf(await web(world, '2.0.0'), { namespace: world.namespace }),
    });
    await app.becomes('Healthy', /version 2\.0\.0 is in every pool/);
    expect(await app.fights()).toBe(0);
  } finally {
    await removeApplication(app.name);
  }
  await expect(kubectl('get', OPERATOR, `--namespace=${NAMESPACE}`)).rejects.toThrow('not found');
  // The chart keeps them.
  expect(await kubectl('get', 'crd', 'appreleases.apprelease.dev', '--output=name')).toContain('appreleases');
});
