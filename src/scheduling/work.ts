/** Maintenance on the VMs of a pool that a rollout waits for. Pure. */
import { timeOfOtherClock } from '../lib/clocks.ts';
import type { Marked } from './nodes.ts';
import { drainingSince, isDraining, skewsOf } from './nodes.ts';
import type { Node } from './objects.ts';

export interface VmWork {
  message: string;
  /** When the work counts as ended (ms since the epoch). */
  until: number;
  /** The VMs that are worked on, or came back just now, by name. */
  vms: ReadonlySet<string>;
}

/**
 * A VM that has been cordoned for longer was forgotten, and a VM that has been down for longer is lost: neither is under
 * maintenance. A pool without a returning VM for this time is no longer being patched. A release must not wait for work that
 * nobody does.
 */
const WORK_MS = 10 * 60_000;

/** When a drain of the VM counts as ended (ms since the epoch); 0 if the VM is not draining. */
export function drainEnds(node: Marked): number {
  return isDraining(node) ? drainingSince(node) + WORK_MS : 0;
}

/** Whether the VM is being drained, and not just forgotten. */
export function isBeingDrained(node: Marked, now: number): boolean {
  return drainEnds(node) > now;
}

/** The first kind of work found: draining, down or patched VMs. */
export function vmWork(nodes: readonly Node[], now: number): VmWork | undefined {
  const draining = nodes.filter((node) => isBeingDrained(node, now));
  const down = nodes.filter(
    (node) => !node.ready && node.neverReady === undefined && turned(node, now) + WORK_MS > now,
  );
  const fresh = [...new Set(skewsOf(nodes).flatMap((skew) => skew.nodes))].filter(
    (node) => node.ready && turned(node, now) + WORK_MS > now,
  );
  const vms = new Set([...draining, ...down, ...fresh].map(({ metadata }) => metadata.name));
  if (draining.length > 0) {
    const until = Math.max(...draining.map(drainEnds));
    return { message: `${named(draining)} ${areOrIs(draining)} being drained`, until, vms };
  }
  if (down.length > 0) return { message: `${named(down)} ${areOrIs(down)} not ready`, until: latest(down, now), vms };
  if (fresh.length > 0) {
    const message = `a patch is in progress: VMs run different systems, and ${named(fresh)} became Ready less than ${WORK_MS / 60_000} min ago`;
    return { message, until: latest(fresh, now), vms };
  }
  return undefined;
}

function latest(nodes: readonly Node[], now: number): number {
  return Math.max(...nodes.map((node) => turned(node, now))) + WORK_MS;
}

/** The kubelet writes since when its VM is ready. If its clock is wrong, the time of the API server counts: its creation. */
function turned({ readySince, metadata }: Node, now: number): number {
  return timeOfOtherClock(readySince, now) || Date.parse(metadata.creationTimestamp);
}

function named(nodes: readonly Node[]): string {
  const [first] = nodes;
  const name = first?.metadata.name ?? '';
  return nodes.length === 1 ? `VM ${name}` : `VM ${name} and ${nodes.length - 1} more`;
}

function areOrIs({ length }: readonly Node[]): string {
  return length === 1 ? 'is' : 'are';
}
