import { expect, test } from 'vitest';
import { KubeError } from '../kube/errors.ts';
import type { Log } from './log.ts';
import { createLog, describeError } from './log.ts';

function capture(): { log: Log; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => written.push(line) } });
  return { log, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('lines of one pass share an id, and each pass has another id', async () => {
  const { log, lines } = capture();
  const pass = async (message: string) => {
    log.log('info', {}, message);
    await Promise.resolve();
    log.log('info', { action: 'Switch' }, message);
  };
  log.log('info', {}, 'outside');
  await Promise.all([log.within('shop/web', () => pass('a')), log.within('shop/api', () => pass('b'))]);
  const ids = (message: string) =>
    lines()
      .filter(({ msg }) => msg === message)
      .map(({ reconcileID }) => reconcileID);
  expect(ids('outside')).toEqual([undefined]);
  expect(ids('a')[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(new Set(ids('a')).size).toBe(1);
  expect(new Set([...ids('a'), ...ids('b')]).size).toBe(2);
  expect(lines().find(({ action }) => action)).toMatchObject({ release: 'shop/web', level: 'info' });
  expect(lines()[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('all fields of an API server error are logged', () => {
  const fields = { code: 409, reason: 'Conflict', message: 'changed', verb: 'patch', path: '/apis/apps/v1' };
  expect(describeError(new KubeError(fields))).toMatchObject({ ...fields, message: 'patch /apis/apps/v1: changed' });
});

test('no error reveals a credential', () => {
  const { log, lines } = capture();
  const secret = 's3cr3t.token-value';
  const apiException = Object.assign(new Error(`headers: {"set-cookie":"${secret}"}`), {
    code: 401,
    body: secret,
    headers: { authorization: secret },
  });
  const errors = [
    apiException,
    Object.assign(new Error(`sent authorization: Bearer ${secret}`), { request: { headers: { secret } } }),
    new Error('asked', { cause: new Error(`at https://robot:${secret}@registry.example.com/v2`) }),
    new Error(`{"Authorization":"Basic ${secret}"}`),
    { secret },
    secret,
  ];
  for (const error of errors) log.log('warn', { error }, 'failed');
  expect(lines()).toHaveLength(errors.length);
  expect(JSON.stringify(lines())).not.toContain(secret);
  expect(lines()[0]).toMatchObject({ error: { type: 'ApiException', code: 401 } });
});
