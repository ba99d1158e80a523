/** Writes as lines that a person reads. */
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import type { Condition } from '../../src/api/common.ts';
import type { BudgetSpec } from '../../src/release/record/kube-objects.ts';
import type { PoolFacts } from '../../src/release/record/recorded-data.ts';
import { autoscalerSpec } from './autoscalers.ts';
import { weightsOf } from './exposure-rules.ts';
import { isOperator } from './invariants.ts';
import type { WorldPod } from './pods.ts';
import { deploymentSpec, poolOf, serves } from './pods.ts';
import { deploymentsOf, factsOf, readyOf, revisionOf, selectorOf, versionOf } from './truth.ts';
import type { World, WorldObject, Write } from './world.ts';
import { labelOf } from './world.ts';

export function describeWrite(world: World, write: Write, named: boolean): string[] {
  const { actor, kind, object } = write;
  const release = labelOf(object, 'release') ?? (object.spec as { release?: string } | undefined)?.release;
  const who = release ?? (kind === 'AppRelease' ? object.metadata.name : kind);
  if (kind === 'Pod') return pods(world, write).map((line) => `${who}:   ${line}`);
  if (!isOperator(actor))
    return actor === 'cluster' && !write.after && kind !== 'EndpointSlice'
      ? [`${who}:   ${kind} ${object.metadata.name} is gone`]
      : [];
  const prefix = named ? `${who} (${actor}):` : `${who}:`;
  return describe(world, write, who).map((line) => `${prefix} ${line}`);
}

function describe(world: World, { kind, before, after, object }: Write, release: string): string[] {
  const { name } = object.metadata;
  const version = `revision ${revisionOf(object) ?? '?'} (${object.metadata.annotations?.[ANNOTATION.version] ?? '?'})`;
  if (!after) return [`remove ${kind} ${name}`];
  switch (kind) {
    case 'Service':
      return service(world, release, before, after);
    case 'Deployment': {
      const { replicas } = deploymentSpec(after);
      if (!before) return [`start ${name}: ${version} with ${replicas} pods in pool ${poolOf(after)}`];
      const was = deploymentSpec(before).replicas;
      if (revisionOf(before) !== revisionOf(after)) return [`roll ${name} to ${version} with ${replicas} pods`];
      return [was === replicas ? `change ${name}` : `scale ${name} ${was} → ${replicas}`];
    }
    case 'ControllerRevision':
      return before
        ? facts(before, after)
        : [
            `record ${Number(after.revision) === 0 ? 'the ledger' : `revision ${String(after.revision)} (${versionOf(world, release, Number(after.revision))})`}`,
          ];
    case 'PodDisruptionBudget':
      return [`${before ? 'move' : 'make'} ${kind} ${name}${before ? ` to ${budgetOf(after)}` : ''}`];
    case 'HorizontalPodAutoscaler':
      return [`let ${name} scale ${autoscalerSpec(after).scaleTargetRef.name}`];
    case 'HTTPRoute':
    case 'GRPCRoute': {
      const weights = [...weightsOf(after)].map(([service, weight]) => `${service} ${weight}`).join(', ');
      return [`${before ? 'change' : 'make'} ${kind} ${name}: ${weights}`];
    }
    default:
      return before ? conditions(kind, before, after) : [`make ${kind} ${name}`];
  }
}

/** The Deployment whose pods a budget selects. */
function budgetOf({ spec }: WorldObject): string {
  return (spec as BudgetSpec).selector?.matchLabels?.[LABEL.workload] ?? '?';
}

function service(world: World, release: string, before: WorldObject | undefined, after: WorldObject): string[] {
  const track = selectorOf(after)?.[LABEL.track];
  const [selected] = deploymentsOf(world, release).filter((object) => labelOf(object, 'track') === track);
  const number = revisionOf(selected) ?? Number(after.metadata.annotations?.[ANNOTATION.revision]);
  const target = `revision ${number} (${versionOf(world, release, number)})`;
  const { name } = after.metadata;
  if (!before) return [`make Service ${name} for ${target}`];
  return [
    selectorOf(before)?.[LABEL.track] === track ? `change Service ${name}` : `switch Service ${name} to ${target}`,
  ];
}

function facts(before: WorldObject, after: WorldObject): string[] {
  const was = factsOf(before);
  const is = factsOf(after);
  if (!is) return [`keep ${after.metadata.name}`];
  const changes = Object.entries(is.pools).flatMap(([pool, own]) => {
    const news = factChanges(was?.pools[pool] ?? {}, own);
    return news.length > 0 ? [`${pool} ${news.join(', ')}`] : [];
  });
  for (const [stage, { phase, step, since }] of Object.entries(is.exposures ?? {}))
    if (JSON.stringify(was?.exposures?.[stage]) !== JSON.stringify(is.exposures?.[stage]))
      changes.push(`stage ${stage} ${phase} ${step + 1}${since === undefined ? '' : ', its time runs'}`);
  for (const stage of Object.keys(was?.exposures ?? {}))
    if (!is.exposures?.[stage]) changes.push(`stage ${stage} is exposed`);
  for (const stage of Object.keys(is.approvals)) if (!was?.approvals[stage]) changes.push(`stage ${stage} approved`);
  return [`note of revision ${String(after.revision)}: ${changes.join('; ') || 'bookkeeping'}`];
}

function factChanges(was: PoolFacts, is: PoolFacts): string[] {
  const names = {
    entered: 'entered',
    healthySince: 'healthy',
    good: 'good',
    failed: 'failed',
    rolledBack: 'rolled back',
  } as const;
  return Object.entries(names).flatMap(([key, word]) => {
    const [a, b] = [was[key as keyof typeof names], is[key as keyof typeof names]];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    return [b === undefined ? `no longer ${word}` : word];
  });
}

function conditions(kind: string, before: WorldObject, after: WorldObject): string[] {
  function of(object: WorldObject): Condition[] {
    return (object.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  }
  const shown =
    kind === 'AppRelease' ? ['Ready', 'Available', 'Stalled'] : ['Accepted', 'Complete', 'InForce', 'Superseded'];
  const changed = of(after).filter(({ type, status, reason }) => {
    const was = of(before).find((condition) => condition.type === type);
    return shown.includes(type) && (was?.status !== status || was.reason !== reason);
  });
  if (changed.length === 0) return [];
  const text = changed.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(' ');
  return [kind === 'AppRelease' ? `status ${text}` : `${kind} ${after.metadata.name}: ${text}`];
}

function pods(world: World, { before, after, object }: Write): string[] {
  const was = before !== undefined && serves(before as WorldPod);
  const is = after !== undefined && serves(after as WorldPod);
  const deployment = world.get('Deployment', labelOf(object, 'workload') ?? '');
  if (was === is || !deployment) return [];
  const ready = readyOf(world, deployment).length;
  return [`${deployment.metadata.name}: ${ready} of ${deploymentSpec(deployment).replicas} pods ready`];
}
