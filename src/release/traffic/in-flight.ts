/**
 * Decisions beside writes that have no answer yet, which an interrupted pass has left behind: what a return of traffic waits
 * for, and what is written before they have landed. Pure.
 */
import type { Action } from '../record/actions.ts';
import type { Deployment } from '../record/kube-objects.ts';

/** Whether a write in flight may stop pods to which an action leads the traffic. */
export function stopsPodsOf(inFlight: Action, action: Action, live: readonly Deployment[]): boolean {
  if (action.kind !== 'ApplyService' || !action.leadsTo) return false;
  const targets = new Set(action.leadsTo.map(({ name }) => name));
  if (inFlight.kind === 'DeleteDeployment') return targets.has(inFlight.target.name);
  if (inFlight.kind !== 'ApplyDeployment') return false;
  const { metadata, spec } = inFlight.desired;
  const before = live.find(({ metadata: { name } }) => name === metadata.name)?.spec.replicas ?? 0;
  return targets.has(metadata.name) && spec.replicas !== undefined && spec.replicas < before;
}

/**
 * The actions of a plan that need not wait for the writes in flight: what is stored before any other decision, and records,
 * which change no workload. All of them fail if their object has changed.
 */
export function besideInFlight(
  actions: readonly Action[],
  storesFirst: boolean,
  inFlight: readonly Action[],
): readonly Action[] {
  const written = new Set(inFlight.map(uidOf).filter((uid) => uid !== undefined));
  return actions.filter((action) => (storesFirst || isRecord(action)) && !written.has(uidOf(action) ?? ''));
}

function isRecord({ kind }: Action): boolean {
  return kind === 'AnnotateRevision' || kind === 'PatchRollback' || kind === 'PatchPromotion' || kind === 'KeepAnswer';
}

function uidOf(action: Action): string | undefined {
  return 'target' in action ? action.target.uid : undefined;
}
