/** Describes a plan in words: the target of each pool, what the pool waits for, and the actions. Pure. */
import { findCondition } from '../api/conditions.ts';
import type { Plan } from './plan.ts';
import { orElse } from './record/internal-error.ts';
import type { Wanted } from './state/wanted-states.ts';
import { releaseStatus } from './status/status.ts';

export interface Explanation {
  /** Version and revision that the spec wants, or why no revision is recorded. */
  wanted: string;
  /** The most important conditions, as `type=status (reason): message`. */
  conditions: string[];
  /** One line for each pool. */
  pools: string[];
  /** The actions of the plan, one line for each write. */
  actions: string[];
  /** When the next pass is due even if nothing changes (RFC 3339). */
  due?: string;
}

function describeWanted(wanted: Wanted): string {
  switch (wanted.state) {
    case 'Recorded':
      return `${wanted.revision.data.input.version} (revision ${wanted.revision.number})`;
    case 'Invalid':
      return `an invalid spec (${wanted.reason}): ${wanted.message}`;
    case 'Resolving':
      return 'images whose digests are not known yet';
    case 'Unproven':
      return wanted.refused
        ? `a template without a verdict (${wanted.refused.reason}): ${wanted.refused.message}`
        : 'a template that the API server has not accepted yet';
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
      // `pool.target` throws if one of its rules throws; the plan is made all the same.
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
