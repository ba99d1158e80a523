/** Maintenance on the VMs of a pool that a rollout waits for. Pure. */
import { isDraining, isSkewed } from './nodes.ts';
import type { Node } from './objects.ts';

export interface VmWork {
  message: string;
  /** When the work counts as ended (ms since the epoch). */
  until?: number;
}

/**
 * A VM that has been down for longer is lost, not under maintenance. A pool without a returning VM for this time is no longer
 * being patched. A release must not wait for work that nobody does.
 */
const WORK_MS = 10 * 60_000;

/** The first kind of work found: draining, down or patched VMs. */
export function vmWork(nodes: readonly Node[], now: number): VmWork | undefined {
  const draining = nodes.filter(isDraining);
  if (draining.length > 0) return { message: `${named(draining)} ${areOrIs(draining)} being drained` };
  const down = nodes.filter((node) => !node.ready && turnedAt(node) + WORK_MS > now);
  if (down.length > 0) return { message: `${named(down)} ${areOrIs(down)} not ready`, until: latest(down) };
  const fresh = nodes.filter((node) => turnedAt(node) + WORK_MS > now);
  if (isSkewed(nodes) && fresh.length > 0) {
    const message = `a patch is in progress: VMs run different systems, and ${named(fresh)} became Ready less than ${WORK_MS / 60_000} min ago`;
    return { message, until: latest(fresh) };
  }
  return undefined;
}

function latest(nodes: readonly Node[]): number {
  return Math.max(...nodes.map(turnedAt)) + WORK_MS;
}

function turnedAt({ readySince, metadata }: Node): number {
  return Date.parse(readySince ?? metadata.creationTimestamp);
}

function named(nodes: readonly Node[]): string {
  const [first] = nodes;
  const name = first?.metadata.name ?? '';
  return nodes.length === 1 ? `VM ${name}` : `VM ${name} and ${nodes.length - 1} more`;
}

function areOrIs({ length }: readonly Node[]): string {
  return length === 1 ? 'is' : 'are';
}
