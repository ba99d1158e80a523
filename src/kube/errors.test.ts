import { Client } from 'undici';
import { describe, expect, test } from 'vitest';
import type { KubeErrorFields } from './errors.ts';
import {
  admissionProblem,
  isAlreadyExists,
  isConflict,
  isConnectionClosed,
  isInvalid,
  isMalformed,
  isNotFound,
  isRefusal,
  KubeError,
} from './errors.ts';

test('a request on a closed connection fails with the error that the process ignores', async () => {
  const client = new Client('http://127.0.0.1:9');
  await client.destroy();
  const error: unknown = await client.request({ path: '/', method: 'GET' }).catch((reason: unknown) => reason);
  expect(isConnectionClosed(error)).toBe(true);
  expect(isConnectionClosed(new Error('a bug'))).toBe(false);
});

function failure(code: number, message: string, more: Partial<KubeErrorFields> = {}): KubeError {
  return new KubeError({ code, reason: '', message, verb: 'create', path: '/deployments/web', ...more });
}

const DENIAL = 'admission webhook "a.example.com" denied the request';
const QUOTA = 'deployments.apps "web-a-2" is forbidden: exceeded quota: q, requested: count/deployments.apps=1';
const POLICY = `deployments.apps "web-a-2" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request`;

describe('what stopped a write', () => {
  test.each<[what: string, problem: ReturnType<typeof admissionProblem>, code: number, message: string]>([
    ['a denial of a webhook', 'Denied', 403, `${DENIAL}: no`],
    ['a denial without an explanation', 'Denied', 400, `${DENIAL} without explanation`],
    ['a denial with the code of a conflict', 'Denied', 409, `${DENIAL}: no`],
    ['a denial that quotes a quota', 'Denied', 403, `${DENIAL}: exceeded quota: mine`],
    ['a denial of a policy', 'Denied', 422, `${POLICY}: no`],
    ['a denial of a policy with another code', 'Denied', 401, `${POLICY}: no`],
    ['a denial of a policy without a binding', 'Denied', 422, `ValidatingAdmissionPolicy 'p' denied request: no`],
    ['a denial of a mutating policy', 'Denied', 422, `policy 'p' with binding 'b' denied request: no`],
    ['a webhook that answers 429', 'Unavailable', 429, `${DENIAL}: too many requests`],
    ['a webhook that answers 503', 'Unavailable', 503, `${DENIAL}: restarts`],
    ['a webhook that cannot be reached', 'Unavailable', 500, 'failed calling webhook "a": connection refused'],
    ['a quota', 'QuotaExceeded', 403, QUOTA],
    ['a quota that is not counted yet', 'QuotaExceeded', 403, 'status unknown for quota: q, resources: count/x'],
    ['an invalid value', undefined, 422, 'Deployment "web" is invalid: spec.replicas: Invalid value: -1'],
    ['a value that reads like a webhook', undefined, 422, 'invalid: failed calling webhook "a"'],
    ['a missing right', undefined, 403, 'deployments.apps is forbidden: User "x" cannot create resource'],
    ['an overloaded API server', undefined, 429, 'too many requests'],
    ['a namespace that ends', undefined, 403, 'unable to create new content: it is being terminated'],
  ])('%s', (_what, problem, code, message) => {
    expect(admissionProblem(failure(code, message))).toBe(problem);
  });

  test('is not read from other errors', () => {
    expect(admissionProblem(new Error(DENIAL))).toBeUndefined();
  });
});

test('a webhook that denies says nothing about the object, whatever its code', () => {
  const denials = [404, 409, 422, 400].map((code) => failure(code, `${DENIAL}: no`, { reason: 'AlreadyExists' }));
  for (const check of [isNotFound, isConflict, isAlreadyExists, isInvalid, isMalformed])
    expect(denials.filter(check)).toEqual([]);
});

test.each<[what: string, malformed: boolean, refusal: boolean, code: number, message: string]>([
  ['an invalid value', true, true, 422, 'is invalid'],
  ['an unknown field', true, true, 400, 'strict decoding error: unknown field "spec.x"'],
  ['an unknown field in an apply', true, true, 500, 'failed to create typed patch object'],
  ['a missing right', false, true, 403, 'User "x" cannot create resource'],
  ['a denial', false, true, 403, DENIAL],
  ['a quota', false, true, 403, QUOTA],
  ['a webhook that is down', false, false, 500, 'failed calling webhook "a"'],
  ['a server that is down', false, false, 503, 'etcd'],
])('%s: the object is malformed: %s; refused: %s', (_what, malformed, refusal, code, message) => {
  const error = failure(code, message);
  expect([isMalformed(error), isRefusal(error)]).toEqual([malformed, refusal]);
});
