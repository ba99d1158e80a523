// The kustomize install and its rights on the real API server.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { KINDS } from '../../src/api/kinds.ts';
import { GROUP } from '../../src/api/meta.ts';
import { ownCluster } from './own-cluster.ts';
import { createPoster, groupObject as object } from './post.ts';

const cluster = ownCluster();
const root = join(import.meta.dirname, '../..');
const namespace = 'install-test';
const api = createPoster(cluster, namespace);

const operator = 'system:serviceaccount:apprelease-system:apprelease-operator';
const install = join(root, 'manifests');

function rollback(requestedBy?: string) {
  return object('ReleaseRollback', 'asked', { release: 'web', requestedBy });
}

function promotion(requestedBy?: string) {
  return object('ReleasePromotion', 'asked', { release: 'web', stage: 'production', requestedBy });
}

/** Waits until the policy is in force, or no longer in force, which takes some seconds. */
async function policyInForce(wanted: boolean): Promise<void> {
  await vi.waitFor(
    async () => {
      expect((await api.refusal(rollback('jane'))) !== undefined).toBe(wanted);
    },
    { timeout: 60_000, interval: 100 },
  );
}

beforeAll(async () => {
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-k', join(root, 'crds')]);
  await cluster.kubectl([
    'wait',
    '--for=condition=Established',
    ...KINDS.map(({ plural }) => `crd/${plural}.${GROUP}`),
  ]);
  await cluster.kubectl(['create', 'namespace', namespace]);
  await cluster.kubectl(['apply', '-k', install]);
});

afterAll(async () => {
  await cluster.kubectl(['delete', '-k', install]);
  await policyInForce(false);
  await api.close();
  await cluster.kubectl(['delete', 'namespace', namespace]);
});

describe('the install', () => {
  test('has both kustomizations, with and without the CRDs', async () => {
    const kinds = async (folder: string) =>
      (await cluster.kubectl(['kustomize', join(root, folder)])).match(/^kind: .*$/gm) ?? [];
    expect(await kinds('manifests')).not.toContain('kind: CustomResourceDefinition');
    expect((await kinds('manifests/default')).toSorted()).toEqual(
      [...(await kinds('manifests')), ...KINDS.map(() => 'kind: CustomResourceDefinition')].toSorted(),
    );
  });

  test('gives no wildcard rights', async () => {
    expect(await cluster.kubectl(['kustomize', install])).not.toMatch(/^ *- ['"]?\*['"]?$/m);
  });

  test('runs under the restricted Pod Security standard', async () => {
    const jsonpath = '{.items[*].metadata.name}';
    await vi.waitFor(
      async () => {
        const pods = await cluster.kubectl([
          'get',
          'pods',
          '--namespace=apprelease-system',
          `--output=jsonpath=${jsonpath}`,
        ]);
        expect(pods.split(' ')).toHaveLength(2);
      },
      { timeout: 30_000, interval: 200 },
    );
  });

  test.each([
    ['create', 'deployments.apps', true],
    ['patch', 'services', true],
    ['patch', 'appreleases.apprelease.dev/status', true],
    ['get', 'secrets', true],
    ['list', 'secrets', false],
    ['patch', 'appreleases.apprelease.dev', false],
    ['create', 'releasepromotions.apprelease.dev', false],
    ['update', 'pods', false],
    ['update', 'leases.coordination.k8s.io', false],
  ])('lets the operator %s %s: %s', async (verb, resource, allowed) => {
    const [name = '', subresource] = resource.split('/');
    expect(await api.can(operator, verb, name, subresource)).toBe(allowed);
  });

  test('lets people with the role for rollbacks only roll back', async () => {
    for (const [user, role] of [
      ['ron', 'apprelease-rollback'],
      ['pia', 'apprelease-promote'],
      ['eve', 'edit'],
    ] as const) {
      const binding = ['create', 'rolebinding', user, `--clusterrole=${role}`, `--user=${user}`];
      await cluster.kubectl([`--namespace=${namespace}`, ...binding]);
    }
    const rights = async (user: string) => ({
      release: await api.can(user, 'patch', 'appreleases.apprelease.dev'),
      rollback: await api.can(user, 'create', 'releaserollbacks.apprelease.dev'),
      promotion: await api.can(user, 'create', 'releasepromotions.apprelease.dev'),
    });
    expect(await rights('ron')).toEqual({ release: false, rollback: true, promotion: false });
    expect(await rights('pia')).toEqual({ release: false, rollback: false, promotion: true });
    await vi.waitFor(
      async () => {
        expect(await rights('eve')).toEqual({ release: true, rollback: false, promotion: false });
      },
      { timeout: 30_000, interval: 500 },
    );
    expect(await api.can('eve', 'list', 'releaserollbacks.apprelease.dev')).toBe(true);
  });
});

describe('spec.requestedBy', () => {
  beforeAll(() => policyInForce(true));

  test.each([rollback, promotion])('may not name somebody else (%#)', async (make) => {
    expect(await api.refusal(make('jane'))).toContain(
      'spec.requestedBy is jane, but the user is admin: give your own name, or leave it out',
    );
  });

  test.each([rollback, promotion])('may name the user, or nobody (%#)', async (make) => {
    expect(await api.refusal(make('admin'))).toBeUndefined();
    expect(await api.refusal(make())).toBeUndefined();
  });

  test('may be any name in objects of the operator', async () => {
    expect(await api.refusal(rollback('jane'), operator)).toBeUndefined();
  });
});
