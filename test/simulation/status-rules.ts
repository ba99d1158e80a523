/** How programs such as `helm --wait` read a status: it never says two things at once, and never nothing. */
import type { Condition } from '../../src/api/common.ts';
import { conditionIs } from '../../src/api/conditions.ts';
import type { WriteRule } from './invariants.ts';
import { isOperator } from './invariants.ts';

const KINDS = new Set(['AppRelease', 'ReleaseRollback', 'ReleasePromotion']);

export function createStatusRules(): WriteRule[] {
  const saysOneThing: WriteRule = ({ actor, kind, after }) => {
    const { conditions } = (after?.status ?? {}) as { conditions?: Condition[] };
    if (!isOperator(actor) || !KINDS.has(kind) || !conditions) return undefined;
    const said = ['Ready', 'Reconciling', 'Stalled'].filter((type) => conditionIs(conditions, type, 'True'));
    return said.length === 1
      ? undefined
      : `${kind} ${after?.metadata.name ?? ''} says ${said.join(' and ') || 'nothing'}`;
  };
  return [saysOneThing];
}
