/** Work on the VMs of a pool that a release should not get into the way of. Pure. */
import { isDraining, isSkewed } from './nodes.ts';
import type { Node } from './objects.ts';

export interface VmWork {
  message: string;
  /** When it counts as over by itself (ms since the epoch). */
  until?: number;
}

/**
 * A VM that has been down for longer is lost, not worked on; and a pool of which no VM came back for so long is not being
 * patched any more: a release must not wait for what nobody does.
 */
const WORK_MS = 10 * 60_000;

/** VMs that are drained, down or patched; the first kind that there is. */
export function vmWork(nodes: readonly Node[], now: number): VmWork | undefined {
  const draining = nodes.filter(isDraining);
  if (draining.length > 0) return { message: `${named(draining)} ${areOrIs(draining)} being drained` };
  const down = nodes.filter((node) => !node.ready && turnedAt(node) + WORK_MS > now);
  if (down.length > 0) return { message: `${named(down)} ${areOrIs(down)} not ready`, until: latest(down) };
  const fresh = nodes.filter((node) => turnedAt(node) + WORK_MS > now);
  if (isSkewed(nodes) && fresh.length > 0) {
    const message = `a patch is under way: VMs run different systems, and ${named(fresh)} became Ready less than ${WORK_MS / 60_000} min ago`;
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
