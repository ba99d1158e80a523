import { expect, test } from 'vitest';
import type { Condition } from '../../api/common.ts';
import { requestState } from './request-progress.ts';

function condition(text: string): Condition {
  const [type = '', status, reason = ''] = text.split(' ');
  const told = { reason, message: `${type} ${reason}`, lastTransitionTime: '2026-01-01T12:00:00Z' };
  return { type, status: status as Condition['status'], ...told };
}

test.each<[what: string, conditions: string[], is: string]>([
  ['that nobody has seen', [], 'Open'],
  ['whose release does not exist', ['Waiting True ReleaseNotFound'], 'Open'],
  ['that is rejected', ['Accepted False NoTarget', 'Stalled True NoTarget'], 'Rejected'],
  ['of no use any more', ['Accepted False AlreadyEntered', 'Complete False AlreadyEntered'], 'Over'],
  [
    'that is under way',
    ['Accepted True Accepted', 'Complete False InProgress', 'Stalled False NotStalled'],
    'Accepted',
  ],
  ['that waits for a soak', ['Accepted True Accepted', 'Complete False Soaking'], 'Accepted'],
  ['that waits for the end of a pause', ['Accepted True Accepted', 'Complete False Paused'], 'Person'],
  ['that is done', ['Accepted True Accepted', 'Complete True StageEntered', 'Ready True StageEntered'], 'Complete'],
  [
    'that a later one took over',
    ['Accepted True Accepted', 'Complete False Superseded', 'Ready True Superseded'],
    'Over',
  ],
  [
    'whose target fails',
    ['Accepted True Accepted', 'Complete False InProgress', 'Stalled True RollbackFailed'],
    'Person',
  ],
  ['that a rollback keeps out', ['Accepted Unknown HeldByRollback', 'Stalled True HeldByRollback'], 'Person'],
])('the state of a request %s', (_what, conditions, is) => {
  expect(requestState({ status: { conditions: conditions.map(condition) } }).is).toBe(is);
});
