import { expect, test } from 'vitest';
import type { AppRelease } from '../api/app-release.ts';
import { createAudit } from './audit.ts';
import { createLog } from './log.ts';

function create() {
  const lines: Record<string, unknown>[] = [];
  const { log, within } = createLog({
    level: 'info',
    destination: {
      write: (line: string) => {
        const { time: _time, reconcileID: _id, ...rest } = JSON.parse(line) as Record<string, unknown>;
        lines.push(rest);
      },
    },
  });
  return { ...createAudit(log), within, lines };
}

function pausedFor(reason?: string): Pick<AppRelease, 'status'> {
  const status = reason === undefined ? ('False' as const) : ('True' as const);
  const message = reason ?? 'the release is not paused';
  return { status: { conditions: [{ type: 'Paused', status, reason: 'Paused', message, lastTransitionTime: '' }] } };
}

test('an act has one line with the release, the object, who did it and why', async () => {
  const { notice, within, lines } = create();
  const request = { object: 'ReleaseRollback/back', actor: 'jane', reason: 'errors' };
  await within('shop/web', () => {
    notice({ reason: 'RollbackAccepted', note: 'rollback back: a 2 → 1', data: { cause: 'manual', request } });
    return Promise.resolve();
  });
  expect(lines).toEqual([
    {
      level: 'info',
      msg: 'audit',
      release: 'shop/web',
      action: 'RollbackAccepted',
      note: 'rollback back: a 2 → 1',
      ...request,
    },
  ]);
});

test('an act of somebody unknown says so', () => {
  const { notice, lines } = create();
  notice({ reason: 'HoldEnded', note: '', data: { request: { object: 'ReleaseRollback/back' } } });
  expect(lines).toEqual([expect.objectContaining({ action: 'HoldEnded', actor: 'unknown', reason: '' })]);
});

test('what nobody asked for has no line', () => {
  const { notice, lines } = create();
  notice({ reason: 'PoolEntered', note: '', data: { delivery: 'Deployed' } });
  notice({ reason: 'Switched', note: '' });
  expect(lines).toEqual([]);
});

test('a pause and its end have a line each; a pause that was there before this process has none', () => {
  const { release, lines } = create();
  release('shop/web', {});
  for (const reason of ['holidays', 'holidays', 'a longer holiday', undefined, undefined])
    release('shop/web', pausedFor(reason));
  release('shop/web', pausedFor('again'));
  release('shop/web', undefined);
  release('shop/web', pausedFor('of another release'));
  expect(lines.map(({ msg, release: key, object, action, reason }) => [msg, key, object, action, reason])).toEqual([
    ['audit', 'shop/web', 'AppRelease/web', 'Paused', 'a longer holiday'],
    ['audit', 'shop/web', 'AppRelease/web', 'Resumed', ''],
    ['audit', 'shop/web', 'AppRelease/web', 'Paused', 'again'],
  ]);
});
