/** The audit log: one line for each act of a person, or of the operator in a person's place, with who did it and why. */
import type { AppRelease } from '../api/app-release.ts';
import { findCondition } from '../api/conditions.ts';
import type { Notice } from '../release/record/actions.ts';
import type { Log } from './log.ts';

export interface Audit {
  /** Called in a pass, whose log lines have the release. */
  notice: (notice: Pick<Notice, 'reason' | 'note' | 'data'>) => void;
  /** Called after each pass. No release: it is deleted. */
  release: (key: string, release: Pick<AppRelease, 'status'> | undefined) => void;
}

/** The message of each line. */
const AUDIT = 'audit';
/** Nobody said who did it: the audit log of the API server names the user. */
const UNKNOWN = 'unknown';

export function createAudit(log: Log['log']): Audit {
  /** Release → why it is paused; empty: it is not. */
  const paused = new Map<string, string>();
  return {
    notice: ({ reason: action, note, data }) => {
      if (!data?.request) return;
      const { object, actor = UNKNOWN, reason = '' } = data.request;
      log('info', { action, object, actor, reason, note }, AUDIT);
    },
    release: (key, release) => {
      const condition = findCondition(release?.status?.conditions, 'Paused');
      if (!release) paused.delete(key);
      if (!condition) return;
      const reason = condition.status === 'True' ? condition.message : '';
      const before = paused.get(key);
      paused.set(key, reason);
      // What the process before has seen is not told again.
      if (before === undefined || before === reason) return;
      const action = reason === '' ? 'Resumed' : 'Paused';
      log(
        'info',
        { action, release: key, object: `AppRelease/${key.split('/')[1] ?? ''}`, actor: UNKNOWN, reason },
        AUDIT,
      );
    },
  };
}
