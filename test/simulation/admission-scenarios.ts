/** Scenarios in which quotas, policies and webhooks stop writes of Deployments. */
import type { ApiServer } from './api-server.ts';
import type { Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { SpecDraft } from './specs.ts';
import { webSpec } from './specs.ts';
import { act, create, everywhereAt, HELD, is, ready, RELEASED, rollback, version } from './steps.ts';

type Stop = NonNullable<ApiServer['admission']['stop']>;

function stops(say: string, stop: (scene: Scene) => Stop | undefined, when: UserStep['when'] = ready): UserStep {
  return act(
    say,
    (scene) => {
      const rule = stop(scene);
      if (rule) scene.admission.stop = rule;
      else delete scene.admission.stop;
    },
    when,
  );
}

/** A ResourceQuota of count/deployments.apps. */
export function deploymentQuota(limit: number, when?: UserStep['when']): UserStep {
  return stops(
    `a quota of ${limit} Deployments`,
    ({ world }) =>
      ({ kind, metadata }, isNew) => {
        const used = world.list('Deployment').length;
        if (kind !== 'Deployment' || !isNew || used < limit) return undefined;
        const message = `deployments.apps "${metadata.name}" is forbidden: exceeded quota: deployments, requested: count/deployments.apps=1, used: count/deployments.apps=${used}, limited: count/deployments.apps=${limit}`;
        return { code: 403, reason: 'Forbidden', message };
      },
    when,
  );
}

/** A policy that accepts no Deployment of version 2.0.0. */
export function denial(when?: UserStep['when']): UserStep {
  const message = 'admission webhook "images.example.com" denied the request: web:2.0.0 is not signed';
  return onVersion('2.0.0', 'a webhook denies version 2.0.0', { code: 403, reason: 'Forbidden', message }, when);
}

export function brokenWebhook(when?: UserStep['when']): UserStep {
  const message =
    'Internal error occurred: failed calling webhook "images.example.com": failed to call webhook: connection refused';
  const answer = { code: 500, reason: 'InternalError', message };
  return onVersion('2.0.0', 'the webhook for version 2.0.0 is down', answer, when);
}

function onVersion(wanted: string, say: string, answer: ReturnType<Stop>, when?: UserStep['when']): UserStep {
  return stops(
    say,
    () =>
      ({ kind, metadata }) =>
        kind === 'Deployment' && metadata.annotations?.['apprelease.dev/version'] === wanted ? answer : undefined,
    when,
  );
}

function nothingStops(when?: UserStep['when']): UserStep {
  return stops('nothing stops Deployments any more', () => undefined, when);
}

/** Standbys stay for long, unless they yield. */
const warm: SpecDraft = { ...webSpec('1.0.0'), rollback: { warmFor: '24h', drain: '10s' } };
const rolling: SpecDraft = { ...webSpec('1.0.0'), strategy: { type: 'RollingUpdate' } };

export const ADMISSION: readonly Scenario[] = [
  {
    name: 'full-quota-of-deployments-with-rolling-update',
    steps: [create(rolling), deploymentQuota(3), version('2.0.0')],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'standbys-yield-to-a-quota-of-deployments',
    steps: [create(warm), deploymentQuota(4), version('2.0.0')],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, leftovers: true },
  },
  {
    name: 'rollback-in-a-full-quota-of-deployments',
    orderly: true,
    steps: [
      create(warm),
      version('2.0.0', ready),
      version('3.0.0', ready),
      deploymentQuota(6),
      rollback('back', ready, { toVersion: '1.0.0' }),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD, leftovers: true },
  },
  {
    name: 'quota-of-deployments-raised',
    orderly: true,
    steps: [
      create(),
      deploymentQuota(3),
      version('2.0.0'),
      { ...deploymentQuota(9, is('Ready', 'False', 'QuotaExceeded')), after: 60_000 },
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'denied-template-then-admitted',
    orderly: true,
    steps: [create(), denial(ready), version('2.0.0'), nothingStops(is('Ready', 'False', 'AdmissionDenied'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
  {
    name: 'broken-webhook-then-restored',
    orderly: true,
    steps: [create(), brokenWebhook(ready), version('2.0.0'), nothingStops(is('Ready', 'False', 'WebhookUnavailable'))],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
  },
];
