// A quota, a policy or a webhook that stops a write is no fault of the template: it has its own reason, and is tried again.
import { describe, expect } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import type { Resource } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin, test } from './harness.ts';
import { oneStage, pool, release, worker } from './release-objects.ts';
import type { Answer } from './webhook.ts';
import { startWebhook } from './webhook.ts';

const QUOTAS: Resource = { apiVersion: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true };

async function deploymentQuota(world: World, limit: number): Promise<void> {
  const hard = { 'count/deployments.apps': String(limit) };
  await world.applyAs('somebody', QUOTAS, { metadata: { name: 'few' }, spec: { hard } } as never);
  await world.until(async () => {
    const { status } = (await admin.get(QUOTAS, { namespace: world.namespace, name: 'few' })) as never as {
      status: { hard: object; used: Record<string, string> };
    };
    expect(status.hard).toEqual(hard);
    expect(status.used['count/deployments.apps']).toBe(String((await world.deployments()).length));
  });
}

describe.concurrent('a full quota of Deployments', () => {
  test('does not stop a rolling update', async ({ world }) => {
    await world.apply(worker(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await deploymentQuota(world, 1);
    await world.apply(worker(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    expect(await world.deployments()).toHaveLength(1);
  });

  test('has its own reason, does not stop a rollback, and the release goes on when the quota is raised', async ({
    world,
  }) => {
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages: oneStage }));
    await world.released('2.0');
    await deploymentQuota(world, 1);
    // The standby yields, which is not enough.
    await world.apply(release(await world.image('3.0'), { stages: oneStage }));
    const { message } = await world.stalled('QuotaExceeded');
    expect(message).toMatch(/exceeded quota: few, requested: count\/deployments\.apps=1/);
    await world.conditionIs('Ready', { status: 'False', reason: 'QuotaExceeded' });
    await world.conditionIs('Available', { status: 'True' });
    await deploymentQuota(world, 2);
    await world.released('3.0');
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 3, 2]);
  });
});

describe.concurrent('a webhook', () => {
  test.for<[what: string, answer: Answer, reason: string, stalled: boolean, says: RegExp]>([
    [
      'that denies',
      { allowed: false, code: 403, message: 'no signature' },
      'AdmissionDenied',
      true,
      /denied the request: no signature$/,
    ],
    [
      'that denies with the code of a conflict',
      { allowed: false, code: 409, message: 'x' },
      'AdmissionDenied',
      true,
      /x/,
    ],
    [
      'that answers that it is overloaded',
      { allowed: false, code: 429, message: 'later' },
      'WebhookUnavailable',
      false,
      /later/,
    ],
    ['that fails', { http: 503 }, 'WebhookUnavailable', false, /failed calling webhook/],
  ])(
    '%s has its own reason, and the release goes on when it admits',
    async ([, answer, reason, stalled, says], { world }) => {
      await using webhook = await startWebhook(admin, world.namespace);
      await world.apply(release(await world.image('1.0'), { stages: oneStage }));
      await world.released('1.0');
      webhook.answer(answer);
      await world.apply(release(await world.image('2.0'), { stages: oneStage }));
      const { message } = await world.conditionIs('Ready', { status: 'False', reason });
      expect(message).toMatch(says);
      await world.conditionIs('Stalled', { status: stalled ? 'True' : 'False' });
      await world.conditionIs('Available', { status: 'True' });
      webhook.answer({ allowed: true });
      await world.released('2.0');
      // No answer to a write says anything about the version either.
      webhook.answer(answer);
      await world.rollback('back');
      await world.rollbackIs('back', 'Complete', 'True');
      expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
    },
  );

  test('that hangs does not delay a rollback to a warm version', async ({ world }) => {
    await using webhook = await startWebhook(admin, world.namespace);
    for (const version of ['1.0', '2.0']) {
      await world.apply(release(await world.image(version), { stages: oneStage }));
      await world.released(version);
    }
    webhook.hang();
    const stages = [{ name: 'production', pools: [pool('prod-a', 3)] }];
    await world.apply(release(await world.image('2.0'), { stages }));
    await world.until(() => {
      expect(webhook.hanging()).toBe(1);
      return Promise.resolve();
    });
    await world.rollback('back');
    await world.rollbackIs('back', 'Accepted', 'True');
    await world.until(async () => {
      expect(await world.selected()).toEqual({ 'web-prod-a': 1 });
    });
    // The write of version 2.0 still has no answer.
    expect(webhook.hanging()).toBe(1);
    webhook.answer({ allowed: true });
    await world.rollbackIs('back', 'Complete', 'True');
    await world.until(async () => {
      expect((await world.pods()).filter(({ revision, ready }) => revision === 1 && ready)).toHaveLength(3);
    });
    expect(world.timeline('web-prod-a')).toEqual([1, 2, 1]);
  });
});

describe.concurrent('a policy', () => {
  test('that denies has its own reason, and the release goes on when it admits', async ({ world }) => {
    const name = `${world.namespace}-small`;
    const apiVersion = 'admissionregistration.k8s.io/v1';
    const POLICIES = { apiVersion, kind: 'ValidatingAdmissionPolicy', plural: 'validatingadmissionpolicies' };
    const BINDINGS = { apiVersion, kind: `${POLICIES.kind}Binding`, plural: 'validatingadmissionpolicybindings' };
    const policies: Resource = { ...POLICIES, namespaced: false };
    const bindings: Resource = { ...BINDINGS, namespaced: false };
    const resourceRules = [
      { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] },
    ];
    const validations = [{ expression: 'object.spec.replicas < 2', message: 'at most one pod' }];
    await admin.create(policies, {
      apiVersion,
      kind: POLICIES.kind,
      metadata: { name },
      spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules }, validations },
    } as never);
    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': world.namespace } };
    await admin.create(bindings, {
      apiVersion,
      kind: BINDINGS.kind,
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector } },
    } as never);
    const probe = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'probe', namespace: world.namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'probe' } },
        template: { metadata: { labels: { app: 'probe' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
      },
    };
    await world.until(async () => {
      await expect(admin.create(DEPLOYMENTS, probe as never, { dryRun: true })).rejects.toThrow('at most one pod');
    });
    await world.apply(release(await world.image('1.0'), { stages: oneStage }));
    const { message } = await world.stalled('AdmissionDenied');
    expect(message).toMatch(/ValidatingAdmissionPolicy '.*' with binding '.*' denied request: at most one pod/);
    await admin.delete(bindings, { name });
    await world.released('1.0');
    await admin.delete(policies, { name });
  });
});
