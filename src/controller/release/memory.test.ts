import { expect, test } from 'vitest';
import { createMemory, expire, expiryDue, noteDryRun, noteOverQuota, noteRevert } from './memory.ts';

const AT = 1_000_000;

test.each([29_999, 30_000, 30_001, 30_002])(
  'a refusal is either in force or expired %i ms later, and a pass is due while it is in force',
  (later) => {
    const memory = createMemory();
    memory.nameConflicts.set('Service/web', { message: 'taken', at: AT });
    const now = AT + later;
    const isInForce = expire(memory, now).nameConflicts.size > 0;
    expect(expiryDue(memory, now)).toEqual(isInForce ? [AT + 30_001] : []);
  },
);

/** The seconds after which a dry run is repeated, for each of its answers in a row. */
function repeatedAfter(reason: 'TemplateRejected' | 'AdmissionDenied', times: number): number[] {
  const memory = createMemory();
  const waits: number[] = [];
  for (let now = AT; waits.length < times;) {
    noteDryRun(memory, 'hash', { ok: false, reason, message: '' }, now);
    expect(expire(memory, now).dryRuns.has('hash')).toBe(true);
    const [due = 0] = expiryDue(memory, now);
    expect(expire(memory, due - 1).dryRuns.has('hash')).toBe(true);
    expect(expire(memory, due).dryRuns.has('hash')).toBe(false);
    waits.push(Math.floor((due - now) / 1000));
    now = due;
  }
  return waits;
}

test('a dry run without a verdict is repeated after a time that doubles up to 30 s', () => {
  expect(repeatedAfter('AdmissionDenied', 7)).toEqual([2, 4, 8, 16, 30, 30, 30]);
});

test('a dry run that rejects the template is repeated after 30 s', () => {
  expect(repeatedAfter('TemplateRejected', 2)).toEqual([30, 30]);
});

test('a refusal of a quota right after the removal of a Deployment does not count, because the quota may be late', () => {
  const memory = createMemory();
  memory.lost.set('Deployment/web-a-1', AT);
  noteOverQuota(memory, 'web-b-2', AT + 4_999);
  expect(expire(memory, AT + 4_999).overQuota).toEqual(new Set());
  noteOverQuota(memory, 'web-b-2', AT + 5_000);
  expect(expire(memory, AT + 125_000).overQuota).toEqual(new Set(['web-b-2']));
  expect(expire(memory, AT + 125_001).overQuota).toEqual(new Set());
});

test('a Service that another manager keeps changing is named, and put back every 5 s for as long as it does', () => {
  const memory = createMemory();
  const revert = (now: number) => noteRevert(memory, 'Service/web', { hash: 'h', manager: 'helm', now });
  expect([AT, AT + 1, AT + 2].map(revert)).toEqual([false, false, true]);
  for (let now = AT + 2; now < AT + 600_000; now += 5_000) {
    expect(expire(memory, now + 4_999).paced).toEqual(new Set(['Service/web']));
    expect(expiryDue(memory, now + 4_999)).toContain(now + 5_000);
    expect(expire(memory, now + 5_000).paced).toEqual(new Set());
    expect(revert(now + 5_000)).toBe(true);
    expect(expire(memory, now + 5_000).contested.get('Service/web')).toMatchObject({ manager: 'helm' });
  }
});
