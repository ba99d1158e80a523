import { expect, test } from 'vitest';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import { meta, observed } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { factsIn, GOOD, viewOf } from '../world-testing.ts';
import { automaticRollbackNames } from '../record/names.ts';
import { answerFailure } from './automatic.ts';

const FAILED: FactWords = { entered: 5, failed: 1 };

/** Revision 2 serves in pool a and failed in pool b, which still serves revision 1. */
function failed(more: Words = {}, facts: FactWords = FAILED): Words {
  return {
    pools: { a: { serves: 2, beside: { 1: 2 } }, b: { beside: { 2: 0 } } },
    revisions: { 1: { in: { a: GOOD, b: GOOD } }, 2: { in: { a: GOOD, b: facts } } },
    ...more,
  };
}

function onFailure(mode: string, more: object = {}): Words {
  return failed({ spec: { rollback: { onFailure: mode, ...more } } });
}

const { failed: mark } = factsIn(failed(), 'b', FAILED);
const REASON = `version 2.0.0 (revision 2) failed in pool b: ${mark?.message ?? ''}`;

/** What differs from a rollback that the operator made for the failure of revision 2. */
interface Other {
  reason?: string;
  toRevision?: number;
  pools?: string[];
  owner?: string;
  /** The revision that it is held against: it was accepted. */
  against?: number;
  rejected?: true;
}

function rollbackNamed(name: string, { owner = 'uid-web', against, rejected, ...spec }: Other = {}): ReleaseRollback {
  const answer = { type: 'Accepted', reason: '', message: '', lastTransitionTime: '2026-01-01T11:59:30Z' } as const;
  const status: ReleaseRollback['status'] =
    against === undefined
      ? { conditions: [{ ...answer, status: 'False' }] }
      : { heldAgainst: against, endedAt: '2026-01-01T11:59:40Z', conditions: [{ ...answer, status: 'True' }] };
  const ownerReferences = [{ apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', name: 'web', uid: owner }];
  return {
    metadata: { ...meta(name), ownerReferences },
    spec: { release: 'web', force: false, reason: REASON, ...spec },
    ...((rejected || against !== undefined) && { status }),
  };
}

function beside(...rollbacks: ReleaseRollback[]): Words {
  return failed({ more: { rollbacks } });
}

const taken = { ...observed().memory, nameConflicts: new Map([['ReleaseRollback/web-r2-1', 'theirs']]) };
const nothingGood = failed({
  revisions: { 1: { in: { a: { entered: 60 }, b: { entered: 60 } } }, 2: { in: { b: FAILED } } },
});

/** `said`: the name of the rollback and its pools, or the reason for no rollback. */
test.each<[what: string, words: Words, said: string | undefined]>([
  ['takes back the whole release', failed(), 'web-r2-1'],
  ['takes back the one pool with onFailure RollbackPool', onFailure('RollbackPool'), 'web-r2-1-b b'],
  ['takes back all pools behind the same Service', shared(), 'web-r2-1-c b,c'],
  ['has another name for another attempt', failed({}, { ...FAILED, attempt: 2 }), 'web-r2-2'],
  ['has another name if its name is taken', failed({ memory: taken }), 'web-r2-1-<hash>'],
  ['gets no rollback with onFailure Pause', onFailure('Pause'), 'Failed'],
  ['has no target if no revision was good', nothingGood, 'NothingToReturnTo'],
  ['does not go behind a barrier of the spec', onFailure('RollbackAll', { barrier: true }), 'Barrier'],
  [
    'gets no rollback if the version before has no ready pod either',
    failed({ pools: { b: { ready: 0, beside: { 2: 0 } } } }),
    'PreviousFailsToo',
  ],
  ['has a rollback that is not answered yet', beside(rollbackNamed('web-r2-1')), undefined],
  ['has a rollback that was rejected', beside(rollbackNamed('web-r2-1', { rejected: true })), 'RollbackRejected'],
  ['has a rollback that was accepted', beside(rollbackNamed('web-r2-1', { against: 2 })), 'RollbackRejected'],
  [
    'has a rollback that was accepted for the failure of another pool',
    beside(rollbackNamed('web-r2-1', { against: 2, reason: 'version 2.0.0 (revision 2) failed in pool a: crashes' })),
    'RollbackRejected',
  ],
  [
    'gets no rollback if another rollback holds the pool',
    failed({ rollback: { against: 2, to: { b: 1 } } }),
    undefined,
  ],
  ['of an earlier attempt gets no rollback', failed({}, { ...FAILED, attempt: 2, failedAttempt: 1 }), undefined],
  ['of a revision that is no longer wanted gets no rollback', failed({ wants: 3 }), undefined],
])('a failure %s', (_what, words, said) => {
  expect(describeAnswer(words)).toBe(said);
});

/** Pool c, which failed, shares the Service of pool b. */
function shared(): Words {
  const spec = { serviceName: 'web' };
  return {
    ...onFailure('RollbackPool'),
    stages: { production: { pools: ['b', 'c'] } },
    pools: { a: { serves: 2 }, b: { spec, beside: { 2: 2 } }, c: { spec, beside: { 2: 0 } } },
    revisions: { 1: { in: { a: GOOD, b: GOOD, c: GOOD } }, 2: { in: { a: GOOD, b: { entered: 5 }, c: FAILED } } },
  };
}

function describeAnswer(words: Words): string | undefined {
  const answer = answerFailure(viewOf(words));
  if (answer?.kind !== 'Rollback') return answer?.reason;
  if (answer.action.kind !== 'CreateRollback') return answer.action.kind;
  const { name, spec } = answer.action;
  return [name.replace(/-[0-9a-f]{8}$/, '-<hash>'), ...(spec.pools ? [spec.pools.join()] : [])].join(' ');
}

/** Rollbacks that somebody created before the failure, with the name of the automatic one. */
test.each<[what: string, other: Other]>([
  ['belongs to no release', { owner: 'another uid' }],
  ['has a target', { toRevision: 1 }],
  ['names pools', { pools: ['b'] }],
  ['was held against another revision', { against: 1 }],
  ['was rejected for another reason', { rejected: true, reason: 'too many errors' }],
])('a failure gets a rollback beside one that has its name and %s', (_what, other) => {
  expect(describeAnswer(beside(rollbackNamed('web-r2-1', other)))).toBe('web-r2-1-<hash>');
});

test('a rollback that an earlier operator made under its second name is found', () => {
  const second = rollbackNamed(`web-r2-1-${shortHash('uid-web')}`, { against: 2 });
  expect(describeAnswer(beside(rollbackNamed('web-r2-1', { owner: 'another uid' }), second))).toBe('RollbackRejected');
});

test('a failure whose names are all taken says so', () => {
  const names = automaticRollbackNames({ name: 'web', uid: 'uid-web' }, 2, 1);
  const all = beside(...names.map((name) => rollbackNamed(name, { toRevision: 1 })));
  expect(describeAnswer(all)).toBe('RollbackRejected');
});
