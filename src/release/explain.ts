/** A plan in words: where each pool is to go, what it waits for, and what is done now. Pure. */
import { findCondition } from '../api/conditions.ts';
import type { Plan } from './plan.ts';
import { orElse } from './record/internal-error.ts';
import type { Wanted } from './state/wanted.ts';
import { releaseStatus } from './status/status.ts';

export interface Explanation {
  /** Version and revision that the spec wants, or why it is not recorded. */
  wanted: string;
  /** The conditions that tell most: type=status (reason) and the message. */
  conditions: string[];
  /** One line for each pool. */
  pools: string[];
  /** What the plan does now, one line for each write. */
  actions: string[];
  /** RFC 3339: when the next pass is due though nothing changes. */
  due?: string;
}

function describeWanted(wanted: Wanted): string {
  switch (wanted.state) {
    case 'Recorded':
      return `${wanted.revision.data.input.version} (revision ${wanted.revision.number})`;
    case 'Invalid':
      return `what is not valid (${wanted.reason}): ${wanted.message}`;
    case 'Resolving':
      return 'images whose digests are not known yet';
    case 'Unproven':
      return 'a template that the API server has not accepted yet';
    case 'New':
      return `a new revision (${wanted.number})`;
  }
}

const CONDITIONS = ['Ready', 'Available', 'Stalled', 'RolledBack', 'Paused'];

export function explain({ view, actions, due }: Plan): Explanation {
  const { conditions, pools = [] } = releaseStatus(view, {});
  return {
    wanted: describeWanted(view.wanted),
    conditions: CONDITIONS.flatMap((type) => {
      const condition = findCondition(conditions, type);
      return condition ? `${type}=${condition.status} (${condition.reason}): ${condition.message}` : [];
    }),
    pools: view.pools.map((pool) => {
      // A plan is made where a rule throws, too.
      const target = orElse(undefined, () => pool.target);
      const status = pools.find(({ name }) => name === pool.name);
      const serves = pool.served ? `serves revision ${pool.served.number}` : 'serves nothing';
      const goal = target ? `${target.mode} of revision ${target.revision.number} (${target.strategy})` : 'no target';
      const wait = status?.waitingFor === undefined ? '' : `; waits for: ${status.waitingFor}`;
      const ready = `${status?.readyReplicas ?? 0} of ${status?.replicas ?? 0} pods ready`;
      return `${pool.stage.name}/${pool.name}: ${serves}, ${ready}; ${goal}${wait}`;
    }),
    actions: actions.map(({ kind, message }) => `${kind}: ${message}`),
    ...(due !== undefined && { due: new Date(due).toISOString() }),
  };
}
