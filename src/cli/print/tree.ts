/** The tree of a release as lines. Pure. */
import { findCondition } from '../../api/conditions.ts';
import { stateOf } from '../read/state.ts';
import type { PodNode, PoolNode, ReleaseTree, RevisionNode, StageNode } from '../read/tree.ts';
import { ageOf } from './age.ts';
import type { Paint, Tone } from './paint.ts';

interface Branch {
  readonly text: string;
  readonly children: readonly Branch[];
}

export function printTree(tree: ReleaseTree, now: number, paint: Paint): string {
  const lines = [
    ...headOf(tree, paint),
    ...tree.stages.flatMap((stage) => branchLines(stageBranch(stage, now, paint))),
  ];
  return `${lines.join('\n')}\n`;
}

/** Name, versions, and what the conditions say that a person has to know. */
function headOf(tree: ReleaseTree, paint: Paint): string[] {
  const { status, namespace, name, version, isOutdated } = tree;
  const { reason, message, tone } = stateOf(tree);
  const revision = status.revision === undefined ? '' : ` (revision ${status.revision})`;
  const told = ['Available', 'RolledBack', 'Paused', 'TrafficRouted', 'CapacityAvailable', 'Contested'].flatMap(
    (type) => {
      const condition = findCondition(status.conditions, type);
      const isWell = condition?.status === (['RolledBack', 'Paused', 'Contested'].includes(type) ? 'False' : 'True');
      return condition === undefined || isWell
        ? []
        : [row(type, `${paint('waits', condition.reason)}: ${condition.message}`)];
    },
  );
  return [
    row('Release', paint('strong', `${namespace}/${name}`)),
    row('Version', `${version}${isOutdated ? ' (not seen by the operator yet)' : revision}`),
    row('State', `${paint(tone, reason)}${message === '' ? '' : `: ${message}`}`),
    ...told,
    row('Pools', status.readyPools ?? '-'),
  ];
}

function row(title: string, text: string): string {
  return `${`${title}:`.padEnd(19)}${text}`;
}

function stageBranch({ name, approval, soak, pools }: StageNode, now: number, paint: Paint): Branch {
  const rules = [...(approval === 'Manual' ? ['approval Manual'] : []), ...(soak === '0s' ? [] : [`soak ${soak}`])];
  const text = `stage ${paint('strong', name)}${rules.length > 0 ? paint('dim', `  ${rules.join(', ')}`) : ''}`;
  return { text, children: pools.map((pool) => poolBranch(pool, now, paint)) };
}

function poolBranch({ name, status, replicas, revisions }: PoolNode, now: number, paint: Paint): Branch {
  const ready = status?.readyReplicas ?? 0;
  const wanted = status?.replicas ?? replicas;
  const serves = status?.version === undefined ? 'serves nothing' : `serves ${status.version}`;
  const share = status?.traffic === undefined ? '' : `  ${status.traffic.percent} of the traffic`;
  const pods = paint(ready >= wanted ? 'good' : 'waits', `${ready}/${wanted} ready`);
  const text = `pool ${paint('strong', name)}  ${serves}  ${pods}${share}${rollbackText(status?.rollback, paint)}`;
  const notes = [
    status?.traffic?.exposure?.message,
    status?.waitingFor === undefined ? undefined : `waits for ${status.waitingFor}`,
    status?.heldBy === undefined ? undefined : `held by the ReleaseRollback ${status.heldBy}`,
    status?.replicasReason,
  ].flatMap((note) => (note === undefined ? [] : [{ text: paint('waits', note), children: [] }]));
  return { text, children: [...notes, ...(revisions ?? []).map((revision) => revisionBranch(revision, now, paint))] };
}

function rollbackText(rollback: NonNullable<PoolNode['status']>['rollback'] | undefined, paint: Paint): string {
  if (!rollback) return '';
  const { readiness, version, message } = rollback;
  const tones: Readonly<Record<typeof readiness, Tone>> = {
    Warm: 'good',
    Cached: 'good',
    Cold: 'waits',
    Unknown: 'waits',
    Impossible: 'bad',
  };
  const why = message === undefined || readiness === 'Warm' ? '' : paint('dim', ` (${message})`);
  return `  rollback ${paint(tones[readiness], readiness)}${version === undefined ? '' : ` to ${version}`}${why}`;
}

function revisionBranch(
  { revision, version, role, ready, wanted, pods }: RevisionNode,
  now: number,
  paint: Paint,
): Branch {
  const text = `revision ${revision} (${version})  ${paint(role === 'serves' ? 'good' : 'dim', role)}  ${ready}/${wanted} ready`;
  return { text, children: (pods ?? []).map((pod) => ({ text: podText(pod, now, paint), children: [] })) };
}

function podText({ name, state, ready, restarts, nodeName, createdAt }: PodNode, now: number, paint: Paint): string {
  const tone: Tone = ready ? 'good' : state === 'Running' || state === 'Pending' ? 'waits' : 'bad';
  const shown = ready || state !== 'Running' ? state : 'Running, not ready';
  const more = [
    ...(nodeName === '' ? [] : [`on ${nodeName}`]),
    ...(restarts > 0 ? [`${restarts} restarts`] : []),
    ageOf(createdAt, now),
  ];
  return `pod ${name}  ${paint(tone, shown)}  ${paint('dim', more.join('  '))}`;
}

function branchLines(branch: Branch, first = '', rest = ''): string[] {
  return [
    first + branch.text,
    ...branch.children.flatMap((child, index) => {
      const isLast = index === branch.children.length - 1;
      return branchLines(child, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`);
    }),
  ];
}
