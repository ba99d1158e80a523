import { expect, test } from 'vitest';
import { KubeError } from '../../kube/errors.ts';
import { troubleOf } from './trouble.ts';

function failure(code: number, message: string, verb = 'create'): KubeError {
  return new KubeError({ code, reason: 'Reason', message, verb, path: '/deployments/web' });
}

const DENIAL = 'admission webhook "a" denied the request: web:2 is not signed';
const QUOTA = 'deployments.apps "web" is forbidden: exceeded quota: q, requested: count/deployments.apps=1';

test.each([
  [
    failure(403, DENIAL),
    'Stalled',
    'AdmissionDenied',
    `admission denies the next step, which is tried again: ${DENIAL}`,
  ],
  [failure(403, DENIAL, 'patch'), 'Stalled', 'AdmissionDenied', DENIAL],
  [failure(403, QUOTA), 'Stalled', 'QuotaExceeded', QUOTA],
  [failure(500, 'failed calling webhook "a": refused'), 'Waits', 'WebhookUnavailable', 'failed calling webhook "a"'],
  [failure(403, 'no right'), 'Stalled', 'Refused', 'Reason: create /deployments/web: no right'],
  [failure(422, 'test of /metadata/uid', 'patch'), 'Unknown', 'ApiServerError', 'test of /metadata/uid'],
  [failure(503, 'etcd'), 'Unknown', 'ApiServerError', 'etcd'],
  [new Error('a bug'), 'Unknown', 'ApiServerError', 'an internal error'],
])('%s', (error, kind, reason, message) => {
  expect(troubleOf(error)).toMatchObject({ kind, reason, message: expect.stringContaining(message) as string });
});

test('the text of a webhook is bounded', () => {
  expect(troubleOf(failure(403, `${DENIAL}${'x'.repeat(100_000)}`)).message.length).toBeLessThan(2000);
});
